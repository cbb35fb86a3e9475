-- A crash that a rule took one in N of stands for N: what dashboards count is kept with weights, too.

-- crash_count, kind 3, 4, 5: what the weights add to kind 0, 1, 2: the sum of weight - 1, so that a crash that stands for itself
-- alone costs no row more.
INSERT INTO crash_count (kind, key, n)
  SELECT 3, state, sum(weight - 1) FROM crash_fact WHERE weight > 1 AND analyzer_version IS NOT NULL GROUP BY state
  UNION ALL
  SELECT 4, bit, sum(weight - 1) FROM crash_fact, generate_series(0, 63) AS bit
    WHERE weight > 1 AND analyzer_version IS NOT NULL AND taint_mask >> bit & 1 = 1 GROUP BY bit
  UNION ALL
  SELECT 4, -1, sum(weight - 1) FROM crash_fact
    WHERE weight > 1 AND analyzer_version IS NOT NULL AND taint_mask = 0 HAVING count(*) > 0
  UNION ALL
  SELECT 5, build, sum(weight - 1) FROM crash_fact
    WHERE weight > 1 AND analyzer_version IS NOT NULL AND build IS NOT NULL GROUP BY build;

-- What the crash was counted with, where another rule has changed its weight since; NULL: its weight.
ALTER TABLE crash_fact ADD COLUMN counted_weight bigint;

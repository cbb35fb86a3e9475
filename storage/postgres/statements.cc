#include "storage/postgres/statements.h"

namespace corefleet {

const std::vector<Statement>& Statements() {
  static const auto* const statements = new std::vector<Statement>{
      // 1 id, 2 device, 3 uid, 4 expires_at, 5 note, 6 manifest -> id, created. No row: lost a race, try
      // again.
      {sql::kBeginSession,
       "WITH fresh AS ("
       "  INSERT INTO ingest_session (id, device, uid, expires_at, note) VALUES ($1, $2, $3, "
       "$4::timestamptz, $5)"
       "  ON CONFLICT DO NOTHING RETURNING id),"
       " manifest AS (INSERT INTO session_manifest (session, manifest) SELECT id, $6 FROM fresh)"
       " SELECT id, true FROM fresh"
       " UNION ALL SELECT id, false FROM ingest_session WHERE device = $2 AND uid = $3"},

      // 1 id, 2 now, 3 expires_at
      {sql::kExtendSession,
       "UPDATE ingest_session SET expires_at = $3::timestamptz"
       " WHERE id = $1 AND state = 0 AND expires_at <= $2::timestamptz"},

      // 1 id -> id, device, uid, state, crash, expires_at in microseconds or NULL for never, note, manifest
      {sql::kGetSession,
       "SELECT s.id, s.device, s.uid, s.state, s.crash,"
       "  CASE WHEN isfinite(s.expires_at) THEN (extract(epoch FROM s.expires_at) * 1000000)::bigint END, "
       "s.note,"
       "  COALESCE(m.manifest, (SELECT c.manifest FROM crash c WHERE c.id = s.crash))"
       " FROM ingest_session s LEFT JOIN session_manifest m ON m.session = s.id WHERE s.id = $1"},

      // 1 session, 2 key, 3 offset, 4 size, 5 index -> state. The lock keeps a concurrent finish from missing
      // the pack.
      {sql::kAddPack,
       "WITH s AS (SELECT id, state FROM ingest_session WHERE id = $1 FOR SHARE),"
       " added AS (INSERT INTO session_pack (session, key, \"offset\", size, index)"
       "  SELECT id, $2, $3, $4, $5 FROM s WHERE state = 0 ON CONFLICT DO NOTHING)"
       " SELECT state FROM s"},

      // 1 session -> key (NULL: a session without packs), offset, size, index
      {sql::kSessionPacks,
       "SELECT p.key, p.\"offset\", p.size, p.index FROM ingest_session s"
       " LEFT JOIN session_pack p ON p.session = s.id WHERE s.id = $1 ORDER BY p.seq"},

      // 1 session -> state
      {sql::kDropPacks,
       "WITH s AS (SELECT id, state FROM ingest_session WHERE id = $1 FOR UPDATE),"
       " gone AS (DELETE FROM session_pack p USING s WHERE p.session = s.id AND s.state = 0)"
       " SELECT state FROM s"},

      // 1 session, 2 crash, 3 printed id, 4 received_at, 5 raw bytes, 6 stored bytes -> a row if it was open.
      // The update is
      // the gate: of two that finish at once, the second waits for it and then finds the session complete.
      {sql::kFinishSession,
       "WITH s AS (UPDATE ingest_session SET state = 1, crash = $2::uuid WHERE id = $1 AND state = 0"
       "  RETURNING id, device, note),"
       " m AS (DELETE FROM session_manifest WHERE session IN (SELECT id FROM s) RETURNING manifest),"
       " wide AS (INSERT INTO crash (id, id_text, session, manifest)"
       "  SELECT $2::uuid, $3, s.id, m.manifest FROM s LEFT JOIN m ON true),"
       " narrow AS (INSERT INTO crash_fact (id, device, received_at, note, raw_bytes, stored_bytes)"
       "  SELECT $2::uuid, s.device, $4::timestamptz, s.note, $5, $6 FROM s),"
       " queued AS (INSERT INTO analysis_queue (crash) SELECT $2::uuid FROM s)"
       " SELECT id FROM s"},

      // 1 session -> state, crash
      {sql::kSessionEnd, "SELECT state, crash FROM ingest_session WHERE id = $1"},

      // 1 session -> whether it was removed, and its state before
      {sql::kAbandonSession,
       "WITH gone AS (DELETE FROM ingest_session WHERE id = $1 AND state = 0 RETURNING id)"
       " SELECT EXISTS (SELECT 1 FROM gone), state FROM ingest_session WHERE id = $1"},

      // 1 now, 2 limit. One that another transaction has (a pack, an end, a new beginning) is left for the
      // next time;
      // the manifest and the packs go with the row.
      {sql::kExpireSessions,
       "WITH old AS (SELECT id FROM ingest_session WHERE state = 0 AND expires_at < $1::timestamptz"
       "  ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)"
       " DELETE FROM ingest_session s USING old WHERE s.id = old.id"},

      // 1 crash -> id, device, note, raw_bytes, stored_bytes, state, facts
      {sql::kGetCrash,
       "SELECT f.id, f.device, f.note, f.raw_bytes, f.stored_bytes, f.state, d.facts"
       " FROM crash_fact f LEFT JOIN crash_detail d ON d.id = f.id WHERE f.id = $1::uuid"},

      // 1 crash -> manifest
      {sql::kCrashManifest, "SELECT manifest FROM crash WHERE id = $1::uuid"},

      // 1 crash -> as kSessionPacks
      {sql::kCrashPacks,
       "SELECT p.key, p.\"offset\", p.size, p.index FROM crash c"
       " LEFT JOIN session_pack p ON p.session = c.session WHERE c.id = $1::uuid ORDER BY p.seq"},

      // 1 prefix, 2 limit -> id. No LIKE: a prepared LIKE cannot use the index. 'g' stands behind every hex
      // digit.
      {sql::kFindByPrefix, "SELECT id FROM crash WHERE id_text >= $1 AND id_text < $1 || 'g' LIMIT $2"},

      // 1 prefix of a build id or NULL, 2 release, 3 limit -> ref
      {sql::kFindBuilds,
       "SELECT ref FROM build WHERE build_id >= $1::text AND build_id < $1::text || 'g'"
       " UNION SELECT ref FROM build WHERE release = $2 LIMIT $3"},

      // 1 taint bits -> the one of them that the fewest crashes have, or no row
      {sql::kRarestTaint,
       "SELECT key FROM crash_count WHERE kind = 1 AND key = ANY ($1::bigint[]) ORDER BY n, key LIMIT 1"},

      // 1 limit, 2 now, 3 lease_until -> crash, attempts
      {sql::kClaimAnalysis,
       "WITH picked AS (SELECT crash FROM analysis_queue WHERE lease_until <= $2::timestamptz"
       "  ORDER BY lease_until, crash LIMIT $1 FOR UPDATE SKIP LOCKED)"
       " UPDATE analysis_queue q SET attempts = q.attempts + 1, lease_until = $3::timestamptz"
       " FROM picked WHERE q.crash = picked.crash RETURNING q.crash, q.attempts"},

      // 1 crash -> analysed, state, build, taint_mask
      {sql::kLockFacts,
       "SELECT analyzer_version IS NOT NULL, state, build, taint_mask FROM crash_fact"
       " WHERE id = $1::uuid FOR UPDATE"},

      // 1 build id, 2 release
      {sql::kInsertBuild, "INSERT INTO build (build_id, release) VALUES ($1, $2) ON CONFLICT DO NOTHING"},
      // 1 build id, 2 release -> ref
      {sql::kFindBuild, "SELECT ref FROM build WHERE build_id = $1 AND release = $2"},

      // 1 crash, then the columns in this order
      {sql::kUpdateFacts,
       "UPDATE crash_fact SET state = $2, build = $3, build_id = $4, release = $5, version = $6, arch = $7,"
       "  taint_mask = $8, before_mask = $9, uptime_seconds = $10, panic_reason = $11, analyzer_version = "
       "$12,"
       "  summary = $13 WHERE id = $1::uuid"},

      // 1 crash, 2 facts
      {sql::kPutDetail,
       "INSERT INTO crash_detail (id, facts) VALUES ($1::uuid, $2)"
       " ON CONFLICT (id) DO UPDATE SET facts = EXCLUDED.facts"},

      // 1 crash
      {sql::kEndAnalysis, "DELETE FROM analysis_queue WHERE crash = $1::uuid"},

      // 1 kinds, 2 keys, 3 changes: arrays of one length, sorted, so that two transactions lock rows in one
      // order
      {sql::kCount,
       "INSERT INTO crash_count (kind, key, n)"
       " SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bigint[])"
       " ON CONFLICT (kind, key) DO UPDATE SET n = crash_count.n + EXCLUDED.n"},

      // 1 how many builds -> what, key, n, build id, release. One statement, so one moment.
      {sql::kStats,
       "SELECT 'state', key, n, '', '' FROM crash_count WHERE kind = 0"
       " UNION ALL SELECT 'taint', key, n, '', '' FROM crash_count WHERE kind = 1"
       " UNION ALL (SELECT 'build', c.key, c.n, b.build_id, b.release FROM crash_count c JOIN build b ON "
       "b.ref = c.key"
       "  WHERE c.kind = 2 AND c.n > 0 ORDER BY c.n DESC, b.build_id, b.release LIMIT $1)"
       " UNION ALL SELECT 'builds', 0, COALESCE(sum(n), 0)::bigint, '', '' FROM crash_count WHERE kind = 2"
       " UNION ALL SELECT 'backlog', 0, count(*), '', '' FROM analysis_queue"
       " UNION ALL SELECT 'open', 0, count(*), '', '' FROM ingest_session WHERE state = 0"},
  };
  return *statements;
}

}  // namespace corefleet

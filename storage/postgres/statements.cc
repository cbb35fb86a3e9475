#include "storage/postgres/statements.h"

#include "absl/strings/str_cat.h"

namespace corefleet {
namespace {

// ingest_session s with its manifest.
constexpr char kSession[] =
    "s.id, s.device, s.uid, s.state, s.crash,"
    " CASE WHEN isfinite(s.expires_at) THEN (extract(epoch FROM s.expires_at) * 1000000)::bigint END, s.note,"
    " COALESCE(m.manifest, (SELECT c.manifest FROM crash c WHERE c.id = s.crash)),"
    " s.want, s.rule, s.weight, s.hints, s.pack_changes";
constexpr char kSessionTables[] = "ingest_session s LEFT JOIN session_manifest m ON m.session = s.id";
constexpr char kPack[] = "p.key, p.\"offset\", p.size, p.index";

// ingest_count.what
constexpr char kOffered[] = "0";
constexpr char kAccepted[] = "1";
constexpr char kExpired[] = "3";

// SQL that adds rows of (what, reason, n) to the account. A connection adds to its own slot.
std::string CountRows(const char* what, const char* reason, const char* n, const char* from) {
  return absl::StrCat("INSERT INTO ingest_count (what, reason, slot, n) SELECT ", what, ", ", reason,
                      ", pg_backend_pid() & 15, ", n, " ", from,
                      " ON CONFLICT (what, reason, slot) DO UPDATE SET n = ingest_count.n + EXCLUDED.n");
}

// What a batch that finishes sessions (e) says of each, with what was given of it (g).
constexpr char kFinished[] =
    "e.id, e.device, e.note, e.want, e.rule, e.weight, NULLIF(e.hints, '')::json AS hints, g.crash, "
    "g.id_text,"
    " g.received_at, g.raw_bytes, g.stored_bytes, g.here_bytes";

// SQL that makes the crashes of the sessions s (kFinished).
std::string CrashesOfFinished() {
  return absl::StrCat(
      " wide AS (INSERT INTO crash (id, id_text, session) SELECT crash, id_text, id FROM s),"
      " narrow AS (INSERT INTO crash_fact (id, device, received_at, note, raw_bytes, stored_bytes,"
      "   here_bytes, want, rule, weight, os_version, source, captured_us)"
      "  SELECT crash, device, received_at, note, raw_bytes, stored_bytes, here_bytes, want, rule, weight,"
      "   COALESCE(hints->>'os_version', ''), COALESCE(hints->>'source', ''),"
      "   (hints->>'captured_us')::bigint FROM s),"
      " queued AS (INSERT INTO analysis_queue (crash) SELECT crash FROM s),"
      " counted AS (",
      CountRows(kAccepted, "''", "count(*)", "FROM s HAVING count(*) > 0"), ")");
}

}  // namespace

const std::vector<Statement>& Statements() {
  static const auto* const statements = new std::vector<Statement>{
      // 1 id, 2 device, 3 uid, 4 expires_at, 5 note, 6 manifest, 7 want, 8 rule, 9 weight, 10 hints
      // -> id, created. No row: lost a race, try again.
      {sql::kBeginSession,
       absl::StrCat(
           "WITH fresh AS ("
           "  INSERT INTO ingest_session (id, device, uid, expires_at, note, want, rule, weight, hints)"
           "  VALUES ($1, $2, $3, $4::timestamptz, $5, $7, $8, $9, $10) ON CONFLICT DO NOTHING RETURNING id),"
           " manifest AS (INSERT INTO session_manifest (session, manifest) SELECT id, $6 FROM fresh),"
           " counted AS (",
           CountRows(kOffered, "''", "1", "FROM fresh"),
           ")"
           " SELECT id, true FROM fresh"
           " UNION ALL SELECT id, false FROM ingest_session WHERE device = $2 AND uid = $3")},

      // 1 ids, 2 devices, 3 uids, 4 expires_at, 5 notes, 6 wants, 7 rules, 8 weights, 9 hints: arrays of one
      // length; 10 all manifests, 11 where each starts, 12 its size -> the ids of those that were made
      {sql::kBeginSessions,
       absl::StrCat(
           "WITH given AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[],"
           "   $5::text[], $6::smallint[], $7::text[], $8::bigint[], $9::text[], $11::integer[],"
           "   $12::integer[]) AS g(id, device, uid, expires_at, note, want, rule, weight, hints, at, size)),"
           " fresh AS ("
           "  INSERT INTO ingest_session (id, device, uid, expires_at, note, want, rule, weight, hints)"
           "  SELECT id, device, uid, expires_at, note, want, rule, weight, hints FROM given"
           "  ON CONFLICT DO NOTHING RETURNING id),"
           " manifest AS (INSERT INTO session_manifest (session, manifest)"
           "  SELECT g.id, substring($10::bytea FROM g.at FOR g.size) FROM given g JOIN fresh ON fresh.id = "
           "g.id),"
           " counted AS (",
           CountRows(kOffered, "''", "count(*)", "FROM fresh HAVING count(*) > 0"),
           // Nobody waits for the disk: the commit of a session's first pack makes the session durable too.
           ") SELECT id, set_config('synchronous_commit', 'off', true) FROM fresh")},

      // 1 id, 2 now, 3 expires_at
      {sql::kExtendSession,
       "UPDATE ingest_session SET expires_at = $3::timestamptz"
       " WHERE id = $1 AND state = 0 AND expires_at <= $2::timestamptz"},

      // 1 id -> kSession
      {sql::kGetSession, absl::StrCat("SELECT ", kSession, " FROM ", kSessionTables, " WHERE s.id = $1")},

      // 1 device, 2 uid -> kSession
      {sql::kFindSession,
       absl::StrCat("SELECT ", kSession, " FROM ", kSessionTables, " WHERE s.device = $1 AND s.uid = $2")},

      // 1 id -> kPack (NULL: a session without packs), then kSession
      {sql::kGetSessionWithPacks,
       absl::StrCat("SELECT ", kPack, ", ", kSession, " FROM ", kSessionTables,
                    " LEFT JOIN session_pack p ON p.session = s.id WHERE s.id = $1 ORDER BY p.seq")},

      // 1 id, 2 expires_at, 3 want, 4 rule, 5 weight, 6 hints -> a row if there is one
      {sql::kReopenSession,
       "UPDATE ingest_session SET state = 0, expires_at = $2::timestamptz, want = $3, rule = $4, weight = $5,"
       "  hints = $6, kept_seq = CASE WHEN state = 0 THEN kept_seq ELSE"
       "   COALESCE((SELECT max(seq) FROM session_pack WHERE session = $1), 0) END"
       " WHERE id = $1 RETURNING id"},

      // 1 sessions, 2 keys, 3 offsets, 4 sizes, 5 expires_at, 6 extend what expires before this: arrays of
      // one length, an element for each pack; 7 all indexes, 8 where each starts, 9 its size -> the sessions
      // that are open. The lock keeps a concurrent finish from missing a pack; it is the one that the update
      // takes, so that two packs of a session do not wait for each other in a circle.
      {sql::kAddPacks,
       "WITH given AS (SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[],"
       "   $5::timestamptz[], $6::timestamptz[], $8::integer[], $9::integer[])"
       "   AS g(session, key, place, size, expires_at, extend_before, at, index_size)),"
       " s AS (SELECT id FROM ingest_session WHERE id = ANY ($1::text[]) AND state = 0 FOR NO KEY UPDATE),"
       " added AS (INSERT INTO session_pack (session, key, \"offset\", size, index)"
       "  SELECT g.session, g.key, g.place, g.size, substring($7::bytea FROM g.at FOR g.index_size)"
       "  FROM given g JOIN s ON s.id = g.session ON CONFLICT DO NOTHING),"
       " until AS (SELECT g.session, count(*) AS n, max(g.expires_at) AS expires_at,"
       "   max(g.extend_before) AS extend_before"
       "  FROM given g JOIN s ON s.id = g.session GROUP BY g.session),"
       " changed AS (UPDATE ingest_session e SET pack_changes = e.pack_changes + u.n, expires_at ="
       "   CASE WHEN e.expires_at < u.expires_at AND e.expires_at < u.extend_before"
       "   THEN u.expires_at ELSE e.expires_at END FROM until u"
       "  WHERE e.id = ANY ($1::text[]) AND e.id = u.session)"
       " SELECT id FROM s"},

      // 1 session -> kPack (NULL: a session without packs)
      {sql::kSessionPacks, absl::StrCat("SELECT ", kPack,
                                        " FROM ingest_session s LEFT JOIN session_pack p ON p.session = s.id"
                                        " WHERE s.id = $1 ORDER BY p.seq")},

      // 1 session -> state
      {sql::kDropPacks,
       "WITH s AS (SELECT id, state, kept_seq FROM ingest_session WHERE id = $1 FOR UPDATE),"
       " gone AS (DELETE FROM session_pack p USING s WHERE p.session = s.id AND s.state = 0"
       "  AND p.seq > COALESCE(s.kept_seq, -1)),"
       " changed AS (UPDATE ingest_session e SET pack_changes = e.pack_changes + 1 FROM s"
       "  WHERE e.id = s.id AND s.state = 0)"
       " SELECT state FROM s"},

      // 1 session, 2 crash, 3 printed id, 4 received_at, 5 raw bytes, 6 stored bytes, 7 bytes here -> a row
      // if
      // it was open and had no crash. The update is the gate: of two that finish at once, the second waits
      // for it and then finds the session complete.
      {sql::kFinishSession,
       absl::StrCat(
           "WITH s AS (UPDATE ingest_session SET state = 1, crash = $2::uuid"
           "  WHERE id = $1 AND state = 0 AND crash IS NULL"
           "  RETURNING id, device, note, want, rule, weight, NULLIF(hints, '')::json AS hints),"
           " wide AS (INSERT INTO crash (id, id_text, session) SELECT $2::uuid, $3, s.id FROM s),"
           " narrow AS (INSERT INTO crash_fact (id, device, received_at, note, raw_bytes, stored_bytes,"
           "   here_bytes, want, rule, weight, os_version, source, captured_us)"
           "  SELECT $2::uuid, s.device, $4::timestamptz, s.note, $5, $6, $7, s.want, s.rule, s.weight,"
           "   COALESCE(hints->>'os_version', ''), COALESCE(hints->>'source', ''),"
           "   (hints->>'captured_us')::bigint FROM s),"
           " queued AS (INSERT INTO analysis_queue (crash) SELECT $2::uuid FROM s),"
           " counted AS (",
           CountRows(kAccepted, "''", "1", "FROM s"), ") SELECT id FROM s")},

      // 1 sessions, 2 crashes, 3 printed ids, 4 received_at, 5 raw bytes, 6 stored bytes, 7 bytes here:
      // arrays
      // of one length -> the crashes that were made
      {sql::kFinishSessions,
       absl::StrCat(
           "WITH given AS (SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::timestamptz[],"
           "   $5::bigint[], $6::bigint[], $7::bigint[])"
           "   AS g(session, crash, id_text, received_at, raw_bytes, stored_bytes, here_bytes)),"
           " s AS (UPDATE ingest_session e SET state = 1, crash = g.crash FROM given g"
           "  WHERE e.id = ANY ($1::text[]) AND e.id = g.session AND e.state = 0 AND e.crash IS NULL"
           "  RETURNING ",
           kFinished, "),", CrashesOfFinished(), " SELECT crash FROM s")},

      // 1 to 7 as above, 8 pack_changes, 9 how many packs: arrays of one length; 10 their crashes, 11 keys,
      // 12
      // offsets, 13 sizes: arrays of one length, an element for each pack; 14 all indexes, 15 where each
      // starts, 16 its size -> the crashes that were made. The update waits for whoever changes the packs of
      // its session, and then looks at pack_changes again. Of two that finish one session at once only the
      // packs of the one whose crash it is are added.
      {sql::kFinishWithPacks,
       absl::StrCat(
           "WITH given AS (SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::timestamptz[],"
           "   $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::integer[])"
           "   AS g(session, crash, id_text, received_at, raw_bytes, stored_bytes, here_bytes, pack_changes,"
           "   packs)),"
           " pack AS (SELECT * FROM unnest($10::uuid[], $11::text[], $12::bigint[], $13::bigint[],"
           "   $15::integer[], $16::integer[]) AS p(crash, key, place, size, at, index_size)),"
           " s AS (UPDATE ingest_session e SET state = 1, crash = g.crash,"
           "   pack_changes = e.pack_changes + g.packs"
           "  FROM given g WHERE e.id = ANY ($1::text[]) AND e.id = g.session AND e.state = 0"
           "   AND e.crash IS NULL AND e.pack_changes = g.pack_changes"
           "  RETURNING ",
           kFinished,
           "),"
           " added AS (INSERT INTO session_pack (session, key, \"offset\", size, index)"
           "  SELECT s.id, p.key, p.place, p.size, substring($14::bytea FROM p.at FOR p.index_size)"
           "  FROM pack p JOIN s ON s.crash = p.crash ON CONFLICT DO NOTHING),",
           CrashesOfFinished(), " SELECT crash FROM s")},

      // 1 session, 2 raw bytes, 3 stored bytes, 4 bytes here -> crash, if the session was reopened
      {sql::kFinishAgain,
       "WITH s AS (UPDATE ingest_session SET state = 1, kept_seq = NULL"
       "  WHERE id = $1 AND state = 0 AND crash IS NOT NULL RETURNING crash, want, rule, weight),"
       " narrow AS (UPDATE crash_fact f SET raw_bytes = $2, stored_bytes = $3, here_bytes = $4, want = "
       "s.want,"
       "   rule = s.rule, weight = s.weight, counted_weight = COALESCE(f.counted_weight, f.weight),"
       "   revision = revision + 1 FROM s WHERE f.id = s.crash"
       "  RETURNING f.id, f.revision, f.analyzer_version IS NOT NULL AS analysed),"
       " queued AS (INSERT INTO analysis_queue (crash, revision, again)"
       "  SELECT id, revision, analysed FROM narrow ON CONFLICT (crash) DO UPDATE SET attempts = 0,"
       "   lease_until = '-infinity', revision = EXCLUDED.revision, again = EXCLUDED.again)"
       " SELECT crash FROM s"},

      // 1 session -> state, crash
      {sql::kSessionEnd, "SELECT state, crash FROM ingest_session WHERE id = $1"},

      // 1 session -> state, crash
      {sql::kLockSession, "SELECT state, crash FROM ingest_session WHERE id = $1 FOR UPDATE"},

      // 1 session, 2 reason. Behind the lock, so that it sees every pack.
      {sql::kForgetSession, absl::StrCat("WITH packs AS (DELETE FROM session_pack WHERE session = $1),"
                                         " manifest AS (DELETE FROM session_manifest WHERE session = $1),"
                                         " gone AS (DELETE FROM ingest_session WHERE id = $1 RETURNING id) ",
                                         CountRows(kExpired, "$2::text", "1", "FROM gone"))},

      // 1 session -> its id, if it is reopened
      {sql::kLockReopened,
       "SELECT id FROM ingest_session WHERE id = $1 AND state = 0 AND crash IS NOT NULL FOR UPDATE"},

      // 1 now, 2 limit -> id
      {sql::kExpiredReopened,
       "SELECT id FROM ingest_session WHERE state = 0 AND crash IS NOT NULL AND expires_at < $1::timestamptz"
       " ORDER BY expires_at LIMIT $2"},

      // 1 now, 2 limit -> id. One that another transaction has (a pack, an end, a new beginning) is left for
      // the next time.
      {sql::kLockExpired,
       "SELECT s.id FROM ingest_session s"
       " WHERE s.state = 0 AND s.crash IS NULL AND s.expires_at < $1::timestamptz"
       "  AND NOT EXISTS (SELECT 1 FROM session_pack p WHERE p.session = s.id)"
       " ORDER BY s.expires_at LIMIT $2 FOR UPDATE OF s SKIP LOCKED"},

      // 1 ids, 2 reason -> how many. Looks again for packs, now that nobody can add one: what was looked at
      // before the lock may have got its first meanwhile.
      {sql::kForgetEmpty,
       absl::StrCat("WITH gone AS (DELETE FROM ingest_session s WHERE s.id = ANY ($1::text[])"
                    "  AND s.state = 0 AND s.crash IS NULL"
                    "  AND NOT EXISTS (SELECT 1 FROM session_pack p WHERE p.session = s.id) RETURNING s.id),"
                    " manifest AS (DELETE FROM session_manifest m USING gone WHERE m.session = gone.id),"
                    " counted AS (",
                    CountRows(kExpired, "$2::text", "count(*)", "FROM gone HAVING count(*) > 0"),
                    ") SELECT count(*) FROM gone")},

      // 1 now, 2 limit -> id
      {sql::kExpiredWithPacks,
       "SELECT s.id FROM ingest_session s"
       " WHERE s.state = 0 AND s.crash IS NULL AND s.expires_at < $1::timestamptz"
       "  AND EXISTS (SELECT 1 FROM session_pack p WHERE p.session = s.id)"
       " ORDER BY s.expires_at LIMIT $2"},

      // 1 limit -> device, uid
      {sql::kOpenSessions,
       "SELECT device, uid FROM ingest_session WHERE state = 0 ORDER BY expires_at DESC LIMIT $1"},

      // 1 what, 2 reasons, 3 counts: arrays of one length, sorted
      {sql::kAddCounts,
       CountRows("w", "reason", "n",
                 "FROM unnest($1::smallint[], $2::text[], $3::bigint[]) AS g(w, reason, n)")},

      // 1 device, 2 epoch, 3 reasons, 4 counts -> whether one of them is larger than what was reported
      {sql::kLossesGrown,
       "SELECT EXISTS (SELECT 1 FROM unnest($3::text[], $4::bigint[]) AS g(reason, n) WHERE g.n >"
       "  COALESCE((SELECT l.n FROM device_loss l WHERE l.device = $1 AND l.epoch = $2 AND l.reason = "
       "g.reason),"
       "   0))"},

      // 1 device. Two reports of one device take turns.
      {sql::kLockDevice, "SELECT pg_advisory_xact_lock(hashtextextended($1, 7443744474800003))"},

      // 1 device, 2 epoch, 3 reasons, 4 counts, 5 now
      {sql::kReportLosses,
       absl::StrCat(
           "WITH grown AS (SELECT g.reason, g.n, g.n - COALESCE(l.n, 0) AS more"
           "  FROM unnest($3::text[], $4::bigint[]) AS g(reason, n) LEFT JOIN device_loss l"
           "  ON l.device = $1 AND l.epoch = $2 AND l.reason = g.reason WHERE g.n > COALESCE(l.n, 0)),"
           " known AS (INSERT INTO device_loss (device, epoch, reason, n, reported_at)"
           "  SELECT $1, $2, reason, n, $5::timestamptz FROM grown"
           "  ON CONFLICT (device, epoch, reason) DO UPDATE SET n = EXCLUDED.n,"
           "   reported_at = EXCLUDED.reported_at),"
           " offered AS (",
           CountRows(kOffered, "''", "sum(more)", "FROM grown HAVING count(*) > 0"), ") ",
           CountRows(kExpired, "'device_' || reason", "more", "FROM grown"))},

      // 1 device, 2 epochs to keep
      {sql::kPruneLosses,
       "DELETE FROM device_loss WHERE device = $1 AND epoch NOT IN (SELECT epoch FROM device_loss"
       " WHERE device = $1 GROUP BY epoch ORDER BY max(reported_at) DESC, epoch LIMIT $2)"},

      // -> what (NULL: pending), reason, n. One statement, so one moment.
      {sql::kAccount,
       "SELECT what, reason, sum(n)::bigint FROM ingest_count GROUP BY what, reason"
       " UNION ALL SELECT NULL, '', count(*) FROM ingest_session WHERE state = 0 AND crash IS NULL"},

      // 1 key -> key, offset, size, session
      {sql::kPacksUnder,
       "SELECT key, \"offset\", size, session FROM session_pack WHERE key = $1 ORDER BY \"offset\", session"},

      // -> key. From one to the next in the index, whatever lies under each.
      {sql::kPackKeys,
       "WITH RECURSIVE k AS ((SELECT key FROM session_pack ORDER BY key LIMIT 1) UNION ALL"
       " SELECT (SELECT p.key FROM session_pack p WHERE p.key > k.key ORDER BY p.key LIMIT 1) FROM k"
       "  WHERE k.key IS NOT NULL)"
       " SELECT key FROM k WHERE key IS NOT NULL"},

      // 1 first id that is too young, 2 limit
      {sql::kRequestLost,
       "INSERT INTO analysis_queue (crash, revision) SELECT f.id, f.revision FROM crash_fact f"
       "  WHERE f.state = 0 AND f.id < $1::uuid AND f.analyzer_version IS NULL"
       "   AND NOT EXISTS (SELECT 1 FROM analysis_queue q WHERE q.crash = f.id) ORDER BY f.id LIMIT $2"
       " ON CONFLICT DO NOTHING"},

      // 1 crash -> kCrash, facts
      {sql::kGetCrash,
       absl::StrCat("SELECT ", kCrashColumns,
                    ", d.facts"
                    " FROM crash_fact f LEFT JOIN crash_detail d ON d.id = f.id WHERE f.id = $1::uuid")},

      // 1 crash -> kPack (NULL: no packs), manifest, bytes here, revision. Without the packs that a reopened
      // session has added.
      {sql::kCrashContents,
       absl::StrCat(
           "SELECT ", kPack,
           ", COALESCE(m.manifest, c.manifest), COALESCE(f.here_bytes, f.raw_bytes), f.revision"
           " FROM crash c JOIN crash_fact f ON f.id = c.id LEFT JOIN ingest_session s ON s.id = c.session"
           " LEFT JOIN session_manifest m ON m.session = c.session"
           " LEFT JOIN session_pack p ON p.session = c.session"
           "  AND p.seq <= COALESCE(s.kept_seq, 9223372036854775807)"
           " WHERE c.id = $1::uuid AND f.id = $1::uuid ORDER BY p.seq")},

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

      // 1 limit, 2 now, 3 lease_until -> crash, attempts, revision
      {sql::kClaimAnalysis,
       "WITH picked AS (SELECT crash FROM analysis_queue WHERE lease_until <= $2::timestamptz"
       "  ORDER BY lease_until, crash LIMIT $1 FOR UPDATE SKIP LOCKED)"
       " UPDATE analysis_queue q SET attempts = q.attempts + 1, lease_until = $3::timestamptz"
       " FROM picked WHERE q.crash = picked.crash RETURNING q.crash, q.attempts, q.revision, "
       "set_config('synchronous_commit', 'off', true)"},

      // 1 crash -> analysed, state, build, taint_mask, revision, weight, the weight it is counted with. What
      // analysis stores need not be awaited:
      // facts
      // that a power cut takes are asked for again, because what says so goes with them.
      {sql::kLockFacts,
       "SELECT analyzer_version IS NOT NULL, state, build, taint_mask, revision, weight,"
       " COALESCE(counted_weight, weight),"
       " set_config('synchronous_commit', 'off', true) FROM crash_fact"
       " WHERE id = $1::uuid FOR UPDATE"},

      // 1 build id, 2 release
      {sql::kInsertBuild, "INSERT INTO build (build_id, release) VALUES ($1, $2) ON CONFLICT DO NOTHING"},
      // 1 build id, 2 release -> ref
      {sql::kFindBuild, "SELECT ref FROM build WHERE build_id = $1 AND release = $2"},

      // 1 crash, then the columns of crash_fact in this order; 14 facts; 15 kinds, 16 keys, 17 changes of
      // crash_count: arrays of one length, sorted, so that two transactions lock rows in one order
      {sql::kUpdateFacts,
       "WITH fact AS (UPDATE crash_fact SET state = $2, build = $3, build_id = $4, release = $5,"
       "  version = $6, arch = $7, taint_mask = $8, before_mask = $9, uptime_seconds = $10,"
       "  panic_reason = $11, analyzer_version = $12, summary = $13, counted_weight = NULL"
       "  WHERE id = $1::uuid),"
       " detail AS (INSERT INTO crash_detail (id, facts) VALUES ($1::uuid, $14)"
       "  ON CONFLICT (id) DO UPDATE SET facts = EXCLUDED.facts),"
       " queued AS (DELETE FROM analysis_queue WHERE crash = $1::uuid)"
       " INSERT INTO crash_count (kind, key, n)"
       "  SELECT * FROM unnest($15::smallint[], $16::bigint[], $17::bigint[])"
       "  ON CONFLICT (kind, key) DO UPDATE SET n = crash_count.n + EXCLUDED.n"},

      // 1 how many builds -> what, key, n, what the weights add, build id, release. One statement, so one
      // moment.
      {sql::kStats,
       "SELECT CASE c.kind WHEN 0 THEN 'state' ELSE 'taint' END, c.key, c.n, COALESCE(w.n, 0), '', ''"
       "  FROM crash_count c LEFT JOIN crash_count w ON w.kind = c.kind + 3 AND w.key = c.key"
       "  WHERE c.kind IN (0, 1)"
       " UNION ALL (SELECT 'build', c.key, c.n, COALESCE(w.n, 0), b.build_id, b.release"
       "  FROM crash_count c JOIN build b ON b.ref = c.key"
       "  LEFT JOIN crash_count w ON w.kind = 5 AND w.key = c.key"
       "  WHERE c.kind = 2 AND c.n > 0 ORDER BY c.n DESC, b.build_id, b.release LIMIT $1)"
       " UNION ALL SELECT 'builds', 0, COALESCE(sum(n) FILTER (WHERE kind = 2), 0)::bigint,"
       "   COALESCE(sum(n) FILTER (WHERE kind = 5), 0)::bigint, '', '' FROM crash_count WHERE kind IN (2, 5)"
       " UNION ALL SELECT 'backlog', 0, count(*), 0, '', '' FROM analysis_queue"
       // A crash that is analysed again is among the analysed ones already.
       " UNION ALL SELECT 'unread', 0, count(*), 0, '', '' FROM analysis_queue WHERE NOT again"
       " UNION ALL SELECT 'open', 0, count(*), 0, '', '' FROM ingest_session WHERE state = 0 AND crash IS "
       "NULL"
       " UNION ALL SELECT 'reopened', 0, count(*), 0, '', '' FROM ingest_session"
       "  WHERE state = 0 AND crash IS NOT NULL"},
  };
  return *statements;
}

}  // namespace corefleet

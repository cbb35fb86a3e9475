#ifndef COREFLEET_STORAGE_POSTGRES_STATEMENTS_H_
#define COREFLEET_STORAGE_POSTGRES_STATEMENTS_H_

#include <string>
#include <vector>

namespace corefleet {

// A statement prepared on every connection.
struct Statement {
  std::string name;
  std::string sql;
};

// All of them. The names are the constants below; what the parameters and columns are stands beside the SQL.
const std::vector<Statement>& Statements();

// Of crash_fact f, for CrashFromRow.
inline constexpr char kCrashColumns[] =
    "f.id, f.device, f.note, f.raw_bytes, f.stored_bytes, f.state, f.here_bytes, f.want,"
    " f.rule, f.weight, f.os_version, f.source, f.captured_us, f.revision";

namespace sql {
inline constexpr char kBeginSession[] = "begin_session";
inline constexpr char kBeginSessions[] = "begin_sessions";
inline constexpr char kExtendSession[] = "extend_session";
inline constexpr char kGetSession[] = "get_session";
inline constexpr char kFindSession[] = "find_session";
inline constexpr char kReopenSession[] = "reopen_session";
inline constexpr char kGetSessionWithPacks[] = "get_session_with_packs";
inline constexpr char kAddPacks[] = "add_packs";
inline constexpr char kSessionPacks[] = "session_packs";
inline constexpr char kDropPacks[] = "drop_packs";
inline constexpr char kFinishSession[] = "finish_session";
inline constexpr char kFinishSessions[] = "finish_sessions";
inline constexpr char kFinishWithPacks[] = "finish_with_packs";
inline constexpr char kFinishAgain[] = "finish_again";
inline constexpr char kSessionEnd[] = "session_end";
inline constexpr char kLockSession[] = "lock_session";
inline constexpr char kForgetSession[] = "forget_session";
inline constexpr char kLockReopened[] = "lock_reopened";
inline constexpr char kExpiredReopened[] = "expired_reopened";
inline constexpr char kLockExpired[] = "lock_expired";
inline constexpr char kForgetEmpty[] = "forget_empty";
inline constexpr char kOpenSessions[] = "open_sessions";
inline constexpr char kExpiredWithPacks[] = "expired_with_packs";
inline constexpr char kAddCounts[] = "add_counts";
inline constexpr char kLossesGrown[] = "losses_grown";
inline constexpr char kLockDevice[] = "lock_device";
inline constexpr char kReportLosses[] = "report_losses";
inline constexpr char kPruneLosses[] = "prune_losses";
inline constexpr char kAccount[] = "account";
inline constexpr char kPacksUnder[] = "packs_under";
inline constexpr char kPackKeys[] = "pack_keys";
inline constexpr char kRequestLost[] = "request_lost";
inline constexpr char kGetCrash[] = "get_crash";
inline constexpr char kCrashContents[] = "crash_contents";
inline constexpr char kFindByPrefix[] = "find_by_prefix";
inline constexpr char kFindBuilds[] = "find_builds";
inline constexpr char kRarestTaint[] = "rarest_taint";
inline constexpr char kClaimAnalysis[] = "claim_analysis";
inline constexpr char kLockFacts[] = "lock_facts";
inline constexpr char kInsertBuild[] = "insert_build";
inline constexpr char kFindBuild[] = "find_build";
inline constexpr char kUpdateFacts[] = "update_facts";
inline constexpr char kStats[] = "stats";
}  // namespace sql

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_POSTGRES_STATEMENTS_H_

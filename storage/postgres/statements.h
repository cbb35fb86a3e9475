#ifndef COREFLEET_STORAGE_POSTGRES_STATEMENTS_H_
#define COREFLEET_STORAGE_POSTGRES_STATEMENTS_H_

#include <vector>

namespace corefleet {

// A statement prepared on every connection.
struct Statement {
  const char* name;
  const char* sql;
};

// All of them. The names are the constants below; what the parameters and columns are stands beside the SQL.
const std::vector<Statement>& Statements();

namespace sql {
inline constexpr char kBeginSession[] = "begin_session";
inline constexpr char kExtendSession[] = "extend_session";
inline constexpr char kGetSession[] = "get_session";
inline constexpr char kAddPack[] = "add_pack";
inline constexpr char kSessionPacks[] = "session_packs";
inline constexpr char kDropPacks[] = "drop_packs";
inline constexpr char kFinishSession[] = "finish_session";
inline constexpr char kSessionEnd[] = "session_end";
inline constexpr char kAbandonSession[] = "abandon_session";
inline constexpr char kExpireSessions[] = "expire_sessions";
inline constexpr char kGetCrash[] = "get_crash";
inline constexpr char kCrashManifest[] = "crash_manifest";
inline constexpr char kCrashPacks[] = "crash_packs";
inline constexpr char kFindByPrefix[] = "find_by_prefix";
inline constexpr char kFindBuilds[] = "find_builds";
inline constexpr char kRarestTaint[] = "rarest_taint";
inline constexpr char kClaimAnalysis[] = "claim_analysis";
inline constexpr char kLockFacts[] = "lock_facts";
inline constexpr char kInsertBuild[] = "insert_build";
inline constexpr char kFindBuild[] = "find_build";
inline constexpr char kUpdateFacts[] = "update_facts";
inline constexpr char kPutDetail[] = "put_detail";
inline constexpr char kEndAnalysis[] = "end_analysis";
inline constexpr char kCount[] = "count";
inline constexpr char kStats[] = "stats";
}  // namespace sql

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_POSTGRES_STATEMENTS_H_

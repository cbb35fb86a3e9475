#include "storage/memory/memory_crash_index.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace corefleet {
namespace {

constexpr size_t kCrashStates = 5;
constexpr size_t kMinPrefix = 4;

bool IsBuildPrefix(const std::string& text) {
  return text.size() >= kMinPrefix && std::all_of(text.begin(), text.end(), absl::ascii_isxdigit);
}

bool MatchesBuild(const std::string& build, const CrashFacts& facts) {
  if (facts.release && facts.release->value == build) return true;
  return IsBuildPrefix(build) && facts.build_id &&
         absl::StartsWith(facts.build_id->value, absl::AsciiStrToLower(build));
}

bool MatchesFacts(const CrashFilter& filter, const std::optional<CrashFacts>& facts) {
  if (filter.build.empty() && filter.taint_all == 0 && !filter.untainted) return true;
  if (!facts) return false;
  if (!filter.build.empty() && !MatchesBuild(filter.build, *facts)) return false;
  if (filter.taint_all == 0 && !filter.untainted) return true;
  if (!facts->taint.mask) return false;
  const uint64_t mask = facts->taint.mask->value;
  return (mask & filter.taint_all) == filter.taint_all && !(filter.untainted && mask != 0);
}

bool Matches(const CrashFilter& filter, const StoredCrash& crash) {
  if (filter.device && crash.device != *filter.device) return false;
  if (filter.state && crash.state != *filter.state) return false;
  if (filter.since && crash.received_at < *filter.since) return false;
  if (filter.until && crash.received_at >= *filter.until) return false;
  return MatchesFacts(filter, crash.facts);
}

StoredCrash Summary(StoredCrash crash) {
  if (crash.facts) {
    crash.facts->regions.clear();
    crash.facts->defects.clear();
  }
  return crash;
}

void CountTaint(const CrashFacts& facts, IndexStats* stats) {
  if (!facts.taint.mask) return;
  const uint64_t mask = facts.taint.mask->value;
  if (mask == 0) ++stats->untainted;
  for (size_t bit = 0; bit < 64; ++bit) stats->crashes_by_taint[bit] += mask >> bit & 1;
}

// Keeps the `max_builds` busiest and sums up the others.
void Cut(int max_builds, IndexStats* stats) {
  std::sort(stats->builds.begin(), stats->builds.end(), [](const BuildCount& a, const BuildCount& b) {
    return std::tie(b.crashes, a.build, a.release) < std::tie(a.crashes, b.build, b.release);
  });
  while (stats->builds.size() > static_cast<size_t>(std::max(0, max_builds))) {
    stats->other_builds += stats->builds.back().crashes;
    stats->builds.pop_back();
  }
}

}  // namespace

absl::StatusOr<MemoryCrashIndex::SessionRecord*> MemoryCrashIndex::FindSession(const SessionId& id) {
  RETURN_IF_ERROR(status_);
  const auto it = sessions_.find(id);
  if (it == sessions_.end()) return absl::NotFoundError(absl::StrCat("no session ", id.value()));
  return &it->second;
}

absl::StatusOr<MemoryCrashIndex::SessionRecord*> MemoryCrashIndex::FindOpenSession(const SessionId& id) {
  ASSIGN_OR_RETURN(SessionRecord * record, FindSession(id));
  if (record->session.state == SessionState::kOpen) return record;
  return absl::FailedPreconditionError(absl::StrCat("session ", id.value(), " is complete"));
}

absl::StatusOr<MemoryCrashIndex::SessionRecord*> MemoryCrashIndex::FindSessionOf(const CrashId& id) {
  RETURN_IF_ERROR(status_);
  const auto it = crashes_.find(id);
  if (it == crashes_.end()) return absl::NotFoundError(absl::StrCat("no crash ", id.ToString()));
  return FindSession(it->second.session);
}

absl::Status MemoryCrashIndex::Ping() {
  absl::MutexLock lock(&mutex_);
  return status_;
}

absl::StatusOr<BeginResult> MemoryCrashIndex::BeginSession(const DeviceId& device, const Manifest& manifest,
                                                           const std::string& note, const SessionTerms& terms,
                                                           const SessionId& fresh, absl::Time now,
                                                           absl::Time expires_at) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(status_);
  const CrashUid uid = UidOf(manifest);
  const auto [key, created] = keys_.emplace(std::make_pair(device, uid), fresh);
  Session& session = sessions_[key->second].session;
  if (created) {
    session = {.id = fresh,
               .device = device,
               .uid = uid,
               .expires_at = expires_at,
               .note = note,
               .manifest = manifest};
  } else if (session.state == SessionState::kOpen && session.expires_at <= now) {
    session.expires_at = expires_at;
  }
  return BeginResult{session, created};
}

absl::StatusOr<Session> MemoryCrashIndex::GetSession(const SessionId& id) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(const SessionRecord* record, FindSession(id));
  return record->session;
}

absl::Status MemoryCrashIndex::AddPack(const SessionId& id, const StoredPack& pack) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(SessionRecord * record, FindOpenSession(id));
  const bool known = std::any_of(record->packs.begin(), record->packs.end(),
                                 [&](const StoredPack& have) { return have.ref == pack.ref; });
  if (!known) record->packs.push_back(pack);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<StoredPack>> MemoryCrashIndex::SessionPacks(const SessionId& id) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(const SessionRecord* record, FindSession(id));
  return record->packs;
}

absl::Status MemoryCrashIndex::DropPacks(const SessionId& id) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(SessionRecord * record, FindOpenSession(id));
  record->packs.clear();
  return absl::OkStatus();
}

absl::StatusOr<CrashId> MemoryCrashIndex::FinishSession(const SessionId& id, const CrashId& fresh,
                                                        uint64_t raw_bytes, uint64_t stored_bytes) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(SessionRecord * record, FindSession(id));
  Session& session = record->session;
  if (session.state == SessionState::kComplete) return session.crash;
  session.state = SessionState::kComplete;
  session.crash = fresh;
  StoredCrash crash{.id = fresh,
                    .device = session.device,
                    .received_at = fresh.time(),
                    .note = session.note,
                    .raw_bytes = raw_bytes,
                    .stored_bytes = stored_bytes};
  crashes_[fresh] = {std::move(crash), id};
  queue_[fresh] = {};
  return fresh;
}

absl::Status MemoryCrashIndex::AbandonSession(const SessionId& id, const std::string& reason) {
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<SessionRecord*> record = FindOpenSession(id);
  if (absl::IsNotFound(record.status())) return absl::OkStatus();
  RETURN_IF_ERROR(record.status());
  keys_.erase({(*record)->session.device, (*record)->session.uid});
  sessions_.erase(id);
  return absl::OkStatus();
}

absl::StatusOr<int64_t> MemoryCrashIndex::ExpireSessions(absl::Time now, int64_t limit,
                                                         const std::string& reason) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(status_);
  std::vector<std::pair<absl::Time, SessionId>> expired;
  for (const auto& [id, record] : sessions_) {
    const Session& session = record.session;
    if (session.state == SessionState::kOpen && session.expires_at < now) {
      expired.emplace_back(session.expires_at, id);
    }
  }
  std::sort(expired.begin(), expired.end());
  if (static_cast<int64_t>(expired.size()) > limit) expired.resize(std::max<int64_t>(0, limit));
  for (const auto& [expires_at, id] : expired) {
    const auto it = sessions_.find(id);
    keys_.erase({it->second.session.device, it->second.session.uid});
    sessions_.erase(it);
  }
  return static_cast<int64_t>(expired.size());
}

absl::StatusOr<StoredCrash> MemoryCrashIndex::GetCrash(const CrashId& id) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(FindSessionOf(id).status());
  return crashes_.at(id).crash;
}

absl::StatusOr<Manifest> MemoryCrashIndex::CrashManifest(const CrashId& id) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(const SessionRecord* record, FindSessionOf(id));
  return record->session.manifest;
}

absl::StatusOr<std::vector<StoredPack>> MemoryCrashIndex::CrashPacks(const CrashId& id) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(const SessionRecord* record, FindSessionOf(id));
  return record->packs;
}

absl::StatusOr<std::vector<CrashId>> MemoryCrashIndex::FindByPrefix(const std::string& prefix, int limit) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(status_);
  std::vector<CrashId> found;
  for (auto it = crashes_.rbegin(); it != crashes_.rend() && static_cast<int>(found.size()) < limit; ++it) {
    if (absl::StartsWith(it->first.ToString(), prefix)) found.push_back(it->first);
  }
  return found;
}

absl::StatusOr<CrashPage> MemoryCrashIndex::ListCrashes(const CrashFilter& filter, const CrashId& before,
                                                        int limit) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(status_);
  CrashPage page;
  for (auto it = crashes_.rbegin(); it != crashes_.rend(); ++it) {
    const auto& [id, record] = *it;
    if ((!before.empty() && id >= before) || !Matches(filter, record.crash)) continue;
    if (static_cast<int>(page.crashes.size()) == limit) {
      page.next = page.crashes.back().id;
      break;
    }
    page.crashes.push_back(Summary(record.crash));
  }
  return page;
}

absl::StatusOr<std::vector<CrashIndex::AnalysisLease>> MemoryCrashIndex::ClaimAnalysis(
    int limit, absl::Time now, absl::Time lease_until) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(status_);
  std::vector<AnalysisLease> leases;
  for (auto& [crash, entry] : queue_) {
    if (static_cast<int>(leases.size()) >= limit) break;
    if (entry.lease_until > now) continue;
    entry.lease_until = lease_until;
    leases.push_back({crash, ++entry.attempts});
  }
  return leases;
}

absl::Status MemoryCrashIndex::PutFacts(const CrashId& id, const CrashFacts& facts) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(FindSessionOf(id).status());
  StoredCrash& crash = crashes_.at(id).crash;
  crash.state = facts.state;
  crash.facts = facts;
  queue_.erase(id);
  return absl::OkStatus();
}

absl::StatusOr<IndexStats> MemoryCrashIndex::Stats(int max_builds) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(status_);
  IndexStats stats;
  stats.crashes = crashes_.size();
  stats.analysis_backlog = queue_.size();
  stats.crashes_by_taint.resize(64);
  stats.crashes_by_state.resize(kCrashStates);
  for (const auto& [id, record] : sessions_)
    stats.open_sessions += record.session.state == SessionState::kOpen;
  std::map<std::pair<std::string, std::string>, uint64_t> builds;
  for (const auto& [id, record] : crashes_) {
    ++stats.crashes_by_state[static_cast<size_t>(record.crash.state)];
    if (!record.crash.facts) continue;
    const CrashFacts& facts = *record.crash.facts;
    CountTaint(facts, &stats);
    ++builds[{facts.build_id ? facts.build_id->value : "", facts.release ? facts.release->value : ""}];
  }
  for (const auto& [build, crashes] : builds) {
    if (build.first.empty() && build.second.empty()) continue;
    stats.builds.push_back({BuildId(build.first), build.second, crashes});
  }
  Cut(max_builds, &stats);
  return stats;
}

void MemoryCrashIndex::SetStatus(absl::Status status) {
  absl::MutexLock lock(&mutex_);
  status_ = std::move(status);
}

}  // namespace corefleet

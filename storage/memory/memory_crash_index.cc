#include "storage/memory/memory_crash_index.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "storage/crash_bytes.h"

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

void CountTaint(const CrashFacts& facts, uint64_t weight, IndexStats* stats) {
  if (!facts.taint.mask) return;
  const uint64_t mask = facts.taint.mask->value;
  if (mask == 0) {
    ++stats->untainted;
    stats->untainted_weight += weight;
  }
  for (size_t bit = 0; bit < 64; ++bit) {
    if ((mask >> bit & 1) == 0) continue;
    ++stats->crashes_by_taint[bit];
    stats->weight_by_taint[bit] += weight;
  }
}

// Keeps the `max_builds` busiest and sums up the others.
void Cut(int max_builds, IndexStats* stats) {
  std::sort(stats->builds.begin(), stats->builds.end(), [](const BuildCount& a, const BuildCount& b) {
    return std::tie(b.crashes, a.build, a.release) < std::tie(a.crashes, b.build, b.release);
  });
  while (stats->builds.size() > static_cast<size_t>(std::max(0, max_builds))) {
    stats->other_builds += stats->builds.back().crashes;
    stats->other_builds_weight += stats->builds.back().weight;
    stats->builds.pop_back();
  }
}

}  // namespace

absl::StatusOr<MemoryCrashIndex::SessionRecord*> MemoryCrashIndex::Lookup(const SessionId& id) {
  RETURN_IF_ERROR(status_);
  const auto it = sessions_.find(id);
  if (it == sessions_.end()) return absl::NotFoundError(absl::StrCat("no session ", id.value()));
  return &it->second;
}

absl::StatusOr<MemoryCrashIndex::SessionRecord*> MemoryCrashIndex::LookupOpen(const SessionId& id) {
  ASSIGN_OR_RETURN(SessionRecord * record, Lookup(id));
  if (record->session.state == SessionState::kOpen) return record;
  return absl::FailedPreconditionError(absl::StrCat("session ", id.value(), " is complete"));
}

absl::StatusOr<MemoryCrashIndex::SessionRecord*> MemoryCrashIndex::LookupOf(const CrashId& id) {
  RETURN_IF_ERROR(status_);
  const auto it = crashes_.find(id);
  if (it == crashes_.end()) return absl::NotFoundError(absl::StrCat("no crash ", id.ToString()));
  return Lookup(it->second.session);
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
               .manifest = manifest,
               .terms = terms};
    ++offered_;
  } else if (session.state == SessionState::kOpen && session.expires_at <= now) {
    session.expires_at = expires_at;
  }
  return BeginResult{session, created};
}

absl::StatusOr<Session> MemoryCrashIndex::GetSession(const SessionId& id) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(const SessionRecord* record, Lookup(id));
  return record->session;
}

absl::StatusOr<std::optional<Session>> MemoryCrashIndex::FindSession(const DeviceId& device,
                                                                     const CrashUid& uid) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(status_);
  const auto key = keys_.find({device, uid});
  if (key == keys_.end()) return std::optional<Session>();
  return std::optional<Session>(sessions_.at(key->second).session);
}

absl::StatusOr<Session> MemoryCrashIndex::ReopenSession(const SessionId& id, const SessionTerms& terms,
                                                        absl::Time expires_at) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(SessionRecord * record, Lookup(id));
  Session& session = record->session;
  if (session.state == SessionState::kComplete) record->kept = record->packs.size();
  session.state = SessionState::kOpen;
  session.terms = terms;
  session.expires_at = expires_at;
  return session;
}

absl::StatusOr<SessionWithPacks> MemoryCrashIndex::GetSessionWithPacks(const SessionId& id) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(const SessionRecord* record, Lookup(id));
  return SessionWithPacks{record->session, record->packs};
}

absl::Status MemoryCrashIndex::AddPacks(const SessionId& id, absl::Span<const StoredPack> packs,
                                        absl::Time now, absl::Time expires_at) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(SessionRecord * record, LookupOpen(id));
  for (const StoredPack& pack : packs) {
    const bool known = std::any_of(record->packs.begin(), record->packs.end(),
                                   [&](const StoredPack& have) { return have.ref == pack.ref; });
    if (!known) record->packs.push_back(pack);
  }
  record->session.pack_changes += packs.size();
  absl::Time& expiry = record->session.expires_at;
  if (expiry < expires_at && expiry < now + (expires_at - now) / 2) expiry = expires_at;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<StoredPack>> MemoryCrashIndex::SessionPacks(const SessionId& id) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(const SessionRecord* record, Lookup(id));
  return record->packs;
}

absl::Status MemoryCrashIndex::DropPacks(const SessionId& id) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(SessionRecord * record, LookupOpen(id));
  record->packs.resize(record->session.crash.empty() ? 0 : record->kept);
  ++record->session.pack_changes;
  return absl::OkStatus();
}

absl::StatusOr<CrashId> MemoryCrashIndex::FinishSession(const SessionId& id, const CrashId& fresh,
                                                        const CrashBytes& bytes) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(SessionRecord * record, Lookup(id));
  if (record->session.state == SessionState::kComplete) return record->session.crash;
  if (record->session.crash.empty()) return MakeCrash(record, fresh, bytes);
  CloseAgain(record, bytes);
  return record->session.crash;
}

absl::Status MemoryCrashIndex::FinishWithPacks(const SessionId& id, uint64_t pack_changes,
                                               absl::Span<const StoredPack> packs, const CrashId& fresh,
                                               const CrashBytes& bytes) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(SessionRecord * record, Lookup(id));
  Session& session = record->session;
  if (session.state == SessionState::kComplete && session.crash == fresh) return absl::OkStatus();
  const bool as_known = session.state == SessionState::kOpen && session.pack_changes == pack_changes;
  if (!as_known || !session.crash.empty()) {
    return absl::FailedPreconditionError(absl::StrCat("session ", id.value(), " has changed"));
  }
  record->packs.insert(record->packs.end(), packs.begin(), packs.end());
  session.pack_changes += packs.size();
  MakeCrash(record, fresh, bytes);
  return absl::OkStatus();
}

CrashId MemoryCrashIndex::MakeCrash(SessionRecord* record, const CrashId& fresh, const CrashBytes& bytes) {
  Session& session = record->session;
  session.state = SessionState::kComplete;
  session.crash = fresh;
  StoredCrash crash{.id = fresh,
                    .device = session.device,
                    .received_at = fresh.time(),
                    .note = session.note,
                    .raw_bytes = bytes.raw,
                    .here_bytes = bytes.here,
                    .stored_bytes = bytes.stored,
                    .want = session.terms.want,
                    .rule = session.terms.rule,
                    .weight = session.terms.weight,
                    .os_version = session.terms.hints.os_version,
                    .source = session.terms.hints.source,
                    .captured_at = session.terms.hints.captured_at};
  crashes_[fresh] = {std::move(crash), session.id};
  queue_[fresh] = {};
  return fresh;
}

void MemoryCrashIndex::CloseAgain(SessionRecord* record, const CrashBytes& bytes) {
  record->session.state = SessionState::kComplete;
  StoredCrash& crash = crashes_.at(record->session.crash).crash;
  crash.raw_bytes = bytes.raw;
  crash.here_bytes = bytes.here;
  crash.stored_bytes = bytes.stored;
  crash.want = record->session.terms.want;
  crash.rule = record->session.terms.rule;
  crash.weight = record->session.terms.weight;
  ++crash.revision;
  queue_[crash.id] = {};
}

absl::Status MemoryCrashIndex::AbandonSession(const SessionId& id, const std::string& reason) {
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<SessionRecord*> record = LookupOpen(id);
  if (absl::IsNotFound(record.status())) return absl::OkStatus();
  RETURN_IF_ERROR(record.status());
  if ((*record)->session.crash.empty()) {
    Forget(id, reason);
  } else {
    CloseAgain(*record, SizeOf((*record)->session.manifest, (*record)->packs));
  }
  return absl::OkStatus();
}

void MemoryCrashIndex::Forget(const SessionId& id, const std::string& reason) {
  const auto it = sessions_.find(id);
  keys_.erase({it->second.session.device, it->second.session.uid});
  sessions_.erase(it);
  ++expired_[reason];
}

// Open sessions that expired and that are wanted, the first to expire first.
std::vector<SessionId> MemoryCrashIndex::Expired(absl::Time now, int64_t limit,
                                                 absl::FunctionRef<bool(const SessionRecord&)> wanted) {
  std::vector<std::pair<absl::Time, SessionId>> expired;
  for (const auto& [id, record] : sessions_) {
    const Session& session = record.session;
    if (session.state == SessionState::kOpen && session.expires_at < now && wanted(record)) {
      expired.emplace_back(session.expires_at, id);
    }
  }
  std::sort(expired.begin(), expired.end());
  if (static_cast<int64_t>(expired.size()) > limit) expired.resize(std::max<int64_t>(0, limit));
  std::vector<SessionId> ids;
  for (const auto& [expires_at, id] : expired) ids.push_back(id);
  return ids;
}

absl::StatusOr<int64_t> MemoryCrashIndex::ExpireSessions(absl::Time now, int64_t limit,
                                                         const std::string& reason) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(status_);
  const auto reopened = [](const SessionRecord& record) { return !record.session.crash.empty(); };
  for (const SessionId& id : Expired(now, limit, reopened)) {
    SessionRecord& record = sessions_.at(id);
    CloseAgain(&record, SizeOf(record.session.manifest, record.packs));
  }
  const auto empty = [](const SessionRecord& record) {
    return record.session.crash.empty() && record.packs.empty();
  };
  const std::vector<SessionId> gone = Expired(now, limit, empty);
  for (const SessionId& id : gone) Forget(id, reason);
  return static_cast<int64_t>(gone.size());
}

absl::StatusOr<std::vector<SessionKey>> MemoryCrashIndex::OpenSessions(int64_t limit) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(status_);
  std::vector<const Session*> open;
  for (const auto& [id, record] : sessions_) {
    if (record.session.state == SessionState::kOpen) open.push_back(&record.session);
  }
  std::stable_sort(open.begin(), open.end(),
                   [](const Session* a, const Session* b) { return a->expires_at > b->expires_at; });
  open.resize(std::min<size_t>(open.size(), std::max<int64_t>(0, limit)));
  std::vector<SessionKey> keys;
  for (const Session* session : open) keys.push_back({session->device, session->uid});
  return keys;
}

absl::StatusOr<std::vector<SessionId>> MemoryCrashIndex::ExpiredWithPacks(absl::Time now, int64_t limit) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(status_);
  return Expired(now, limit, [](const SessionRecord& record) {
    return record.session.crash.empty() && !record.packs.empty();
  });
}

absl::Status MemoryCrashIndex::AddRefusals(const std::vector<ReasonCount>& refused) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(status_);
  for (const ReasonCount& one : refused) {
    if (one.count == 0) continue;
    refused_[one.reason] += one.count;
    offered_ += one.count;
  }
  return absl::OkStatus();
}

absl::Status MemoryCrashIndex::ReportLosses(const DeviceId& device, const std::string& epoch,
                                            const std::vector<ReasonCount>& lost, absl::Time now) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(status_);
  std::map<std::string, uint64_t> totals;
  for (const ReasonCount& one : lost) {
    uint64_t& total = totals[one.reason];
    total = std::min(kMaxLoss, total + std::min(kMaxLoss, one.count));
  }
  std::map<std::string, EpochLosses>& epochs = losses_[device];
  for (const auto& [reason, total] : totals) {
    const auto known = epochs.find(epoch);
    const uint64_t before = known == epochs.end() ? 0 : known->second.counts[reason];
    if (total <= before) continue;
    epochs[epoch].reported_at = now;
    epochs[epoch].counts[reason] = total;
    expired_[absl::StrCat("device_", reason)] += total - before;
    offered_ += total - before;
  }
  while (epochs.size() > static_cast<size_t>(kLossEpochs)) {
    epochs.erase(std::min_element(epochs.begin(), epochs.end(), [](const auto& a, const auto& b) {
      return a.second.reported_at < b.second.reported_at;
    }));
  }
  return absl::OkStatus();
}

absl::StatusOr<IngestAccount> MemoryCrashIndex::Account() {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(status_);
  IngestAccount account{.offered = offered_, .accepted = crashes_.size()};
  for (const auto& [reason, count] : refused_) account.refused.push_back({reason, count});
  for (const auto& [reason, count] : expired_) account.expired.push_back({reason, count});
  for (const auto& [id, record] : sessions_) account.pending += record.session.crash.empty();
  return account;
}

absl::StatusOr<std::vector<IndexedPack>> MemoryCrashIndex::PacksUnder(const std::string& key) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(status_);
  std::vector<IndexedPack> found;
  for (const auto& [id, record] : sessions_) {
    for (const StoredPack& pack : record.packs) {
      if (pack.ref.key == key) found.push_back({pack.ref, id});
    }
  }
  std::sort(found.begin(), found.end(), [](const IndexedPack& a, const IndexedPack& b) {
    return std::tie(a.ref.offset, a.session) < std::tie(b.ref.offset, b.session);
  });
  return found;
}

absl::StatusOr<std::vector<std::string>> MemoryCrashIndex::PackKeys() {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(status_);
  std::set<std::string> keys;
  for (const auto& [id, record] : sessions_) {
    for (const StoredPack& pack : record.packs) keys.insert(pack.ref.key);
  }
  return std::vector<std::string>(keys.begin(), keys.end());
}

absl::StatusOr<int64_t> MemoryCrashIndex::RequestLostAnalyses(absl::Time before, int64_t limit) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(status_);
  int64_t requested = 0;
  for (const auto& [id, record] : crashes_) {
    if (requested >= limit) break;
    if (record.crash.facts || id.time() >= before || queue_.count(id) != 0) continue;
    queue_[id] = {};
    ++requested;
  }
  return requested;
}

absl::StatusOr<StoredCrash> MemoryCrashIndex::GetCrash(const CrashId& id) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(LookupOf(id).status());
  return crashes_.at(id).crash;
}

absl::StatusOr<CrashContents> MemoryCrashIndex::Contents(const CrashId& id) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(const SessionRecord* record, LookupOf(id));
  const StoredCrash& crash = crashes_.at(id).crash;
  CrashContents contents{.manifest = record->session.manifest,
                         .packs = record->packs,
                         .here_bytes = crash.here_bytes,
                         .revision = crash.revision};
  if (record->session.state == SessionState::kOpen) contents.packs.resize(record->kept);
  return contents;
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
    leases.push_back({crash, ++entry.attempts, crashes_.at(crash).crash.revision});
  }
  return leases;
}

absl::Status MemoryCrashIndex::PutFacts(const CrashId& id, const CrashFacts& facts, uint32_t revision) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(LookupOf(id).status());
  StoredCrash& crash = crashes_.at(id).crash;
  if (crash.revision != revision) return absl::FailedPreconditionError("the crash has more bytes by now");
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
  stats.weight_by_taint.resize(64);
  stats.crashes_by_state.resize(kCrashStates);
  stats.weight_by_state.resize(kCrashStates);
  for (const auto& [id, record] : sessions_)
    stats.open_sessions += record.session.state == SessionState::kOpen;
  std::map<std::pair<std::string, std::string>, BuildCount> builds;
  for (const auto& [id, record] : crashes_) {
    const uint64_t weight = record.crash.facts ? record.crash.weight : 1;
    ++stats.crashes_by_state[static_cast<size_t>(record.crash.state)];
    stats.weight_by_state[static_cast<size_t>(record.crash.state)] += weight;
    if (!record.crash.facts) continue;
    const CrashFacts& facts = *record.crash.facts;
    CountTaint(facts, weight, &stats);
    BuildCount& build =
        builds[{facts.build_id ? facts.build_id->value : "", facts.release ? facts.release->value : ""}];
    ++build.crashes;
    build.weight += weight;
  }
  for (const auto& [build, count] : builds) {
    if (build.first.empty() && build.second.empty()) continue;
    stats.builds.push_back({BuildId(build.first), build.second, count.crashes, count.weight});
  }
  Cut(max_builds, &stats);
  return stats;
}

void MemoryCrashIndex::SetStatus(absl::Status status) {
  absl::MutexLock lock(&mutex_);
  status_ = std::move(status);
}

}  // namespace corefleet

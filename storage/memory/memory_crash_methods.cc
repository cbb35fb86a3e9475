// The crashes: found, listed, lent to analyzers, counted.
#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "base/status_macros.h"
#include "storage/memory/memory_crash_index.h"

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

}  // namespace corefleet

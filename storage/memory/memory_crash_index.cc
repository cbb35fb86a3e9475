#include "storage/memory/memory_crash_index.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace corefleet {

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

void MemoryCrashIndex::SetStatus(absl::Status status) {
  absl::MutexLock lock(&mutex_);
  status_ = std::move(status);
}

}  // namespace corefleet

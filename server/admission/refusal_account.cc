#include "server/admission/refusal_account.h"

#include <numeric>
#include <utility>

#include "base/log.h"

namespace corefleet {

RefusalAccount::RefusalAccount(CrashIndex* index, absl::Duration interval)
    : index_(index), counts_(AllRefusalReasons().size()) {
  flushes_ = std::make_unique<Periodic>(interval, [this] { Flush(); });
}

RefusalAccount::~RefusalAccount() {
  flushes_.reset();
  Flush();
}

void RefusalAccount::Count(RefusalReason reason) {
  absl::MutexLock lock(&mutex_);
  ++counts_[static_cast<size_t>(reason)];
}

uint64_t RefusalAccount::unsaid() const {
  absl::MutexLock lock(&mutex_);
  return std::accumulate(counts_.begin(), counts_.end(), uint64_t{0});
}

void RefusalAccount::Flush() {
  std::vector<uint64_t> counts(AllRefusalReasons().size());
  {
    absl::MutexLock lock(&mutex_);
    counts_.swap(counts);
  }
  std::vector<ReasonCount> refused;
  for (const RefusalReason reason : AllRefusalReasons()) {
    const uint64_t count = counts[static_cast<size_t>(reason)];
    if (count > 0) refused.push_back({RefusalReasonLabel(reason), count});
  }
  if (refused.empty()) return;
  const absl::Status said = index_->AddRefusals(refused);
  if (said.ok()) return;
  // A commit of unknown outcome is said again: offered and refused then both have it twice, and still
  // balance.
  PutBack(counts);
  Log(LogLevel::kWarning, "refusals are not counted yet", {{"why", said.ToString()}});
}

void RefusalAccount::PutBack(const std::vector<uint64_t>& counts) {
  absl::MutexLock lock(&mutex_);
  for (size_t i = 0; i < counts.size(); ++i) counts_[i] += counts[i];
}

}  // namespace corefleet

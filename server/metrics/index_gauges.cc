#include "server/metrics/index_gauges.h"

namespace corefleet {
namespace {

constexpr absl::Duration kFreshFor = absl::Seconds(2);
constexpr absl::Duration kPatience = absl::Milliseconds(500);

}  // namespace

IndexGauges::IndexGauges(CrashIndex* index, PackStore* store, const Clock* clock)
    : index_(index), store_(store), clock_(clock) {}

StoredCounts IndexGauges::Read() {
  absl::MutexLock lock(&mutex_);
  const absl::Time now = clock_->Now();
  // A clock that was set back must not freeze the counts.
  if (!asking_ && (now - asked_ >= kFreshFor || now < asked_)) {
    asking_ = true;
    asked_ = now;
    worker_.Run([this] { Refresh(); });
  }
  const auto answered = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !asking_; };
  if (mutex_.AwaitWithTimeout(absl::Condition(&answered), kPatience)) return counts_;
  StoredCounts stale = counts_;
  stale.database_up = false;
  return stale;
}

void IndexGauges::Refresh() {
  auto stats = index_->Stats(kMaxBuilds);
  auto account = index_->Account();
  const uint64_t stored = store_->StoredBytes();
  const uint64_t free = store_->FreeBytes();
  absl::MutexLock lock(&mutex_);
  counts_.database_up = stats.ok();
  if (stats.ok()) counts_.index = *std::move(stats);
  if (account.ok()) counts_.account = *std::move(account);
  counts_.stored_bytes = stored;
  counts_.free_bytes = free;
  asking_ = false;
}

}  // namespace corefleet

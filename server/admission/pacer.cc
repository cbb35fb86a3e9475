#include "server/admission/pacer.h"

#include <algorithm>

namespace corefleet {

void Pacer::Refill(absl::Time now) {
  // A clock that was set back gives no credit and takes none; the queue must not stay in a future that was.
  if (refilled_ == absl::InfinitePast() || now < refilled_) {
    if (refilled_ != absl::InfinitePast()) queue_ends_ -= refilled_ - now;
    refilled_ = now;
    return;
  }
  credit_ = std::min(burst_, credit_ + (now - refilled_));
  refilled_ = now;
}

bool Pacer::CanTake(absl::Duration cost, absl::Time now, bool in_turn) {
  Refill(now);
  if (!in_turn && queue_ends_ > now) return credit_ >= burst_;
  return credit_ >= std::min(cost, burst_);
}

void Pacer::Take(absl::Duration cost, absl::Time now) {
  Refill(now);
  credit_ = std::max(credit_ - cost, -burst_);
}

absl::Duration Pacer::NextPlace(absl::Duration cost, absl::Time now) {
  Refill(now);
  // The first one waits for the credit that he lacks, each other one for his own on top of that.
  queue_ends_ = std::max(queue_ends_, now - credit_) + std::min(cost, burst_);
  return std::max(queue_ends_ - now, absl::ZeroDuration());
}

absl::Duration Pacer::UntilCredit(absl::Duration cost, absl::Time now) {
  Refill(now);
  return std::max(std::min(cost, burst_) - credit_, absl::ZeroDuration());
}

absl::Duration Pacer::queue(absl::Time now) const {
  return std::max(queue_ends_ - now, absl::ZeroDuration());
}

}  // namespace corefleet

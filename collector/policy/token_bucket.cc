#include "collector/policy/token_bucket.h"

#include <algorithm>
#include <cmath>

namespace corefleet {

void TokenBucket::Restore(const State& state) {
  state_ = state;
  // A file may say anything, not a number included.
  state_.tokens = std::isfinite(state.tokens) ? std::clamp(state.tokens, -capacity_, capacity_) : 0;
}

void TokenBucket::Refill(const Moment& now) {
  const double gained = absl::FDivDuration(TimePassed(state_.at, now), period_) * capacity_;
  state_ = {std::min(capacity_, state_.tokens + gained), now};
}

double TokenBucket::Tokens(const Moment& now) {
  Refill(now);
  return state_.tokens;
}

void TokenBucket::Take(double tokens, const Moment& now) {
  Refill(now);
  state_.tokens = std::max(-capacity_, state_.tokens - tokens);
}

absl::Duration TokenBucket::UntilSome(const Moment& now) {
  Refill(now);
  // An hour's worth of a day: else what comes in would leave drop by drop, with a wake-up for each.
  if (state_.tokens > 0) return absl::ZeroDuration();
  return (capacity_ / 24 - state_.tokens) / capacity_ * period_;
}

}  // namespace corefleet

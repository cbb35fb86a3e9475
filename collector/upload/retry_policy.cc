#include "collector/upload/retry_policy.h"

#include <algorithm>
#include <memory>
#include <random>
#include <utility>

namespace corefleet {

Remedy RemedyFor(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kCancelled:  // What a transport makes of a stream that it lost.
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kFailedPrecondition:
      return Remedy::kResume;
    case absl::StatusCode::kNotFound:
      return Remedy::kBeginAgain;
    default:
      return Remedy::kGiveUp;
  }
}

bool SoundsUnreached(absl::StatusCode code) {
  return code == absl::StatusCode::kUnavailable || code == absl::StatusCode::kDeadlineExceeded;
}

Backoff::Backoff(const RetryPolicy& policy, Clock* clock, std::function<double()> random)
    : policy_(policy),
      clock_(clock),
      random_(std::move(random)),
      last_progress_(clock->Now()),
      ceiling_(policy.first_delay) {}

void Backoff::Progressed() {
  reached_ = true;
  fruitless_ = 0;
  last_progress_ = clock_->Now();
  ceiling_ = policy_.first_delay;
}

bool Backoff::Wait(absl::Duration server_delay) {
  if (++fruitless_ > policy_.max_fruitless || server_delay > policy_.max_server_delay) return false;
  const absl::Duration patience = reached_ ? policy_.patience : policy_.patience_unreached;
  const absl::Time now = clock_->Now();
  // A wall clock that was set back must not make the wait longer than it was going to be.
  last_progress_ = std::min(last_progress_, now);
  const absl::Duration left = patience - (now - last_progress_);
  if (left <= server_delay) return false;
  // The jitter comes on top: a fleet that was told the same delay must not come back together either.
  clock_->Sleep(std::min(server_delay + ceiling_ * random_(), left));
  ceiling_ = std::min(ceiling_ * 2, policy_.max_delay);
  return true;
}

std::function<double()> SystemRandom() {
  struct Source {
    std::random_device device;
    std::uniform_real_distribution<double> uniform{0.0, 1.0};
  };
  return [source = std::make_shared<Source>()] { return source->uniform(source->device); };
}

}  // namespace corefleet

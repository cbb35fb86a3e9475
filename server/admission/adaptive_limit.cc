#include "server/admission/adaptive_limit.h"

#include <algorithm>

namespace corefleet {
namespace {

constexpr absl::Duration kWindow = absl::Seconds(1);
// After a pause this long nobody is kept out any more, and what was measured across it says nothing.
constexpr absl::Duration kPause = absl::Seconds(5);
// What is in flight takes a while to answer to a new limit: no more than this in one second.
constexpr double kFall = 0.7;
constexpr double kRise = 1.2;
constexpr double kNewest = 0.3;

}  // namespace

AdaptiveLimit::AdaptiveLimit(const Options& options)
    : options_(options),
      limit_(std::clamp(options.first, std::min(options.least, options.most), options.most)),
      speed_(std::max<double>(1, static_cast<double>(limit_))) {}

void AdaptiveLimit::Took(ServerPart part, absl::Duration took, absl::Time now) {
  Roll(now);
  Average& average = parts_[static_cast<size_t>(part)];
  average.seconds += std::max(0.0, absl::ToDoubleSeconds(took));
  ++average.count;
}

void AdaptiveLimit::Finished(uint64_t work, absl::Time now) {
  Roll(now);
  finished_ += work;
}

void AdaptiveLimit::KeptOut(absl::Time now) {
  Roll(now);
  kept_out_ = true;
}

uint64_t AdaptiveLimit::limit(absl::Time now) {
  Roll(now);
  return limit_;
}

double AdaptiveLimit::speed(absl::Time now) {
  Roll(now);
  return std::max(1.0, speed_);
}

bool AdaptiveLimit::binding(absl::Time now) {
  Roll(now);
  return kept_out_ || was_binding_;
}

void AdaptiveLimit::Roll(absl::Time now) {
  const absl::Duration window = now - began_;
  if (window >= absl::ZeroDuration() && window < kWindow) return;
  if (window >= kWindow && window < kPause) {
    CloseWindow(window);
  } else {
    was_binding_ = false;
    delay_ = absl::ZeroDuration();
  }
  began_ = now;
  parts_ = {};
  finished_ = 0;
  kept_out_ = false;
}

absl::Duration AdaptiveLimit::MeasuredDelay() const {
  double seconds = 0;
  for (const Average& part : parts_) seconds += part.count > 0 ? part.seconds / part.count : 0;
  return absl::Seconds(seconds);
}

void AdaptiveLimit::CloseWindow(absl::Duration window) {
  delay_ = MeasuredDelay();
  const double measured = finished_ / absl::ToDoubleSeconds(window);
  if (measured > speed_ || kept_out_) speed_ += kNewest * (measured - speed_);
  double factor = 1;
  if (delay_ > options_.long_wait) {
    factor = std::max(kFall, absl::FDivDuration(options_.long_wait, delay_));
  } else if (kept_out_ && delay_ < options_.long_wait / 2) {
    factor = kRise;
  }
  limit_ = std::clamp(static_cast<uint64_t>(limit_ * factor), std::min(options_.least, options_.most),
                      options_.most);
  was_binding_ = kept_out_;
}

}  // namespace corefleet

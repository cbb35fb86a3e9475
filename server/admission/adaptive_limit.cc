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
// How fast the best of a part is learned anew: a disk that has become slower is known within some seconds.
constexpr double kAnew = 0.1;
// Seconds. What is believed before anything was measured: one that starts into an overload must not take it
// for the rule.
constexpr double kFirstBest = 0.005;

}  // namespace

AdaptiveLimit::AdaptiveLimit(const Options& options)
    : options_(options),
      limit_(std::clamp(options.first, std::min(options.least, options.most), options.most)),
      speed_(std::max<double>(1, static_cast<double>(limit_))) {
  best_.fill(kFirstBest);
}

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

void AdaptiveLimit::Measure() {
  const bool least = limit_ <= std::min(options_.least, options_.most);
  double all = 0;
  waiting_ = 0;
  for (size_t i = 0; i < kServerParts; ++i) {
    if (parts_[i].count == 0) continue;
    const double took = parts_[i].seconds / static_cast<double>(parts_[i].count);
    if (took < best_[i]) best_[i] = took;
    all += took;
    waiting_ += took - best_[i];
    if (least) best_[i] += kAnew * (took - best_[i]);
  }
  delay_ = absl::Seconds(all);
}

void AdaptiveLimit::CloseWindow(absl::Duration window) {
  Measure();
  const double measured = finished_ / absl::ToDoubleSeconds(window);
  if (measured > speed_ || kept_out_) speed_ += kNewest * (measured - speed_);
  const double long_wait = absl::ToDoubleSeconds(options_.long_wait);
  double factor = 1;
  if (waiting_ > long_wait) {
    factor = std::max(kFall, long_wait / waiting_);
  } else if (kept_out_ && waiting_ < long_wait / 2) {
    factor = kRise;
  }
  limit_ = std::clamp(static_cast<uint64_t>(limit_ * factor), std::min(options_.least, options_.most),
                      options_.most);
  was_binding_ = kept_out_;
}

}  // namespace corefleet

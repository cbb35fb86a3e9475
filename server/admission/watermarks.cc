#include "server/admission/watermarks.h"

#include <algorithm>
#include <cmath>

namespace corefleet {
namespace {

// Of the last ten answers or so.
constexpr double kNewest = 0.1;
// Every BeginCrash asks; when nobody asks for this long, what was slow says nothing any more.
constexpr absl::Duration kSilence = absl::Seconds(10);
// What was slow is believed half as much after this: a device that kept away for kSlowDelay, and comes alone,
// must not be sent away for what was then.
constexpr absl::Duration kHalfLife = absl::Seconds(1);
constexpr absl::Duration kSlowDelay = absl::Seconds(5);
constexpr absl::Duration kLeastDelay = absl::Seconds(5);
constexpr absl::Duration kMostDelay = absl::Minutes(10);

}  // namespace

void DatabaseLoad::Answered(absl::Duration took, absl::Time now) {
  absl::MutexLock lock(&mutex_);
  const double seconds = std::max(0.0, absl::ToDoubleSeconds(took));
  // A clock that went back says nothing about the answers before.
  const double age = now < answered_ ? HUGE_VAL : absl::FDivDuration(now - answered_, kHalfLife);
  const double before = seconds_ * std::exp2(-age);
  seconds_ = before + kNewest * (seconds - before);
  answered_ = now;
  slow_ = seconds_ > absl::ToDoubleSeconds(slow_ ? limits_.quick : limits_.slow);
}

void DatabaseLoad::Backlog(uint64_t crashes, absl::Time now) {
  absl::MutexLock lock(&mutex_);
  const double took = absl::ToDoubleSeconds(now - counted_);
  const bool less = took > 0 && took < 60 && crashes < backlog_;
  analysed_per_second_ = less ? (backlog_ - crashes) / took : 0;
  backlog_ = crashes;
  counted_ = now;
  behind_ = crashes > (behind_ ? limits_.backlog_again : limits_.backlog);
}

std::optional<absl::Duration> DatabaseLoad::Busy(absl::Time now) {
  absl::MutexLock lock(&mutex_);
  if (slow_ && now - answered_ > kSilence) slow_ = false;
  if (behind_) {
    const double over = backlog_ - std::min(backlog_, limits_.backlog_again);
    if (analysed_per_second_ <= 0) return kMostDelay;
    return std::clamp(absl::Seconds(over / analysed_per_second_), kLeastDelay, kMostDelay);
  }
  if (slow_) return kSlowDelay;
  return std::nullopt;
}

}  // namespace corefleet

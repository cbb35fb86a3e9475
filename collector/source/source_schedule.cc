#include "collector/source/source_schedule.h"

#include <poll.h>

#include <algorithm>

namespace corefleet {
namespace {

// poll() counts milliseconds in an int; a day is as good as for ever.
constexpr absl::Duration kLongest = absl::Hours(24);

class RealPoll final : public WakePoll {
 public:
  void Wait(const std::vector<int>& descriptors, absl::Duration timeout) override {
    std::vector<pollfd> waiting;
    for (const int descriptor : descriptors) waiting.push_back({descriptor, POLLIN, 0});
    // Rounded up: to wake up too early is to wake up twice.
    const absl::Duration up =
        absl::Ceil(std::clamp(timeout, absl::ZeroDuration(), kLongest), absl::Milliseconds(1));
    poll(waiting.data(), waiting.size(), static_cast<int>(absl::ToInt64Milliseconds(up)));
  }
};

}  // namespace

WakePoll* WakePoll::Real() {
  static RealPoll* const real = new RealPoll;
  return real;
}

SourceSchedule::SourceSchedule(BootClock* clock, WakePoll* poll)
    : clock_(clock != nullptr ? clock : BootClock::Real()),
      poll_(poll != nullptr ? poll : WakePoll::Real()) {}

void SourceSchedule::Set(const std::string& name, absl::Duration wait, absl::Duration slack) {
  timers_.erase(
      std::remove_if(timers_.begin(), timers_.end(), [&](const Timer& timer) { return timer.name == name; }),
      timers_.end());
  if (wait == absl::InfiniteDuration()) return;
  const absl::Duration due = clock_->SinceBoot() + std::max(wait, absl::ZeroDuration());
  timers_.push_back({name, due, due + std::max(slack, absl::ZeroDuration())});
}

absl::Duration SourceSchedule::UntilNext() const {
  absl::Duration latest = absl::InfiniteDuration();
  for (const Timer& timer : timers_) latest = std::min(latest, timer.latest);
  return std::max(latest - clock_->SinceBoot(), absl::ZeroDuration());
}

std::vector<int> SourceSchedule::Descriptors() const {
  std::vector<int> descriptors;
  for (const WakeSource* source : sources_) descriptors.push_back(source->descriptor());
  return descriptors;
}

bool SourceSchedule::TakeAll() {
  bool told = false;
  // All of them: one that is not taken would wake us up again at once.
  for (WakeSource* source : sources_) told = source->Take() || told;
  return told;
}

Wakeup SourceSchedule::Next() {
  const absl::Duration rest = last_wakeup_ + breather_ - clock_->SinceBoot();
  if (rest > absl::ZeroDuration()) poll_->Wait({}, rest);
  Wakeup wakeup;
  // A descriptor that can be read may have nothing for us.
  while (!wakeup.told && UntilNext() > absl::ZeroDuration()) {
    poll_->Wait(Descriptors(), UntilNext());
    wakeup.told = TakeAll();
  }
  wakeup.told = TakeAll() || wakeup.told;
  const absl::Duration now = clock_->SinceBoot();
  const auto due = std::stable_partition(timers_.begin(), timers_.end(),
                                         [now](const Timer& timer) { return timer.due > now; });
  for (auto it = due; it != timers_.end(); ++it) wakeup.timers.push_back(it->name);
  timers_.erase(due, timers_.end());
  last_wakeup_ = now;
  ++wakeups_;
  return wakeup;
}

}  // namespace corefleet

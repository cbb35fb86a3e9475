#ifndef COREFLEET_COLLECTOR_SOURCE_SOURCE_SCHEDULE_H_
#define COREFLEET_COLLECTOR_SOURCE_SOURCE_SCHEDULE_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/boot_clock.h"

namespace corefleet {

// Something that the kernel tells through a descriptor: files that came (ChangeNotice), devices that said
// something (KernelEvents). One thread at a time.
class WakeSource {
 public:
  virtual ~WakeSource() = default;
  // Readable when there is something to tell; -1 when the system does not let us listen.
  virtual int descriptor() const = 0;
  // Takes what is there without waiting. True if any of it is a reason to look.
  virtual bool Take() = 0;
};

// Waits for descriptors; a fake lets a test say what happens meanwhile.
class WakePoll {
 public:
  virtual ~WakePoll() = default;
  // Returns when one of the descriptors can be read, or after `timeout`. Negative ones are not looked at.
  virtual void Wait(const std::vector<int>& descriptors, absl::Duration timeout) = 0;

  // The system's; lives for ever.
  static WakePoll* Real();
};

// Why to wake up. Several at once are one wake-up.
struct Wakeup {
  bool told = false;                // a WakeSource had a reason
  std::vector<std::string> timers;  // the names of those that are due
};

// Merges everything that may wake the collector into as few wake-ups as possible. A timer has a time when it
// is due and a slack by which it may be late: it rides along with another wake-up inside of its slack, and
// wakes nobody before that is used up. An idle collector wakes up as often as its most impatient timer. One
// thread at a time.
class SourceSchedule {
 public:
  // Both must outlive it; null: the real ones.
  SourceSchedule(BootClock* clock, WakePoll* poll);

  // `source` must outlive the schedule.
  void Listen(WakeSource* source) { sources_.push_back(source); }

  // Sets, or sets anew, the timer `name`: due after `wait`, at the latest `slack` later. It fires once. An
  // infinite wait takes it away.
  void Set(const std::string& name, absl::Duration wait, absl::Duration slack);

  // Sleeps until something is to be done. At least `breather` goes by since the last wake-up, whatever
  // happens, so that a storm of events is one wake-up a breather.
  Wakeup Next();

  // How long Next would sleep if nobody told anything.
  absl::Duration UntilNext() const;

  void set_breather(absl::Duration breather) { breather_ = breather; }
  uint64_t wakeups() const { return wakeups_; }  // since start

 private:
  struct Timer {
    std::string name;
    absl::Duration due;     // since boot
    absl::Duration latest;  // since boot
  };

  std::vector<int> Descriptors() const;
  bool TakeAll();

  BootClock* const clock_;
  WakePoll* const poll_;
  std::vector<WakeSource*> sources_;
  std::vector<Timer> timers_;
  absl::Duration breather_ = absl::Milliseconds(200);
  absl::Duration last_wakeup_ = -absl::InfiniteDuration();
  uint64_t wakeups_ = 0;
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SOURCE_SOURCE_SCHEDULE_H_

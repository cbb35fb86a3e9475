#ifndef COREFLEET_BASE_CLOCK_H_
#define COREFLEET_BASE_CLOCK_H_

#include "absl/time/time.h"

namespace corefleet {

// Tells the time. The only place in the project that asks the system for it, so that a test can say what time
// it is. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  // The wall clock. May jump; on a device it may say 1970.
  virtual absl::Time Now() const = 0;

  // Blocks the calling thread for `duration`. A fake returns at once and moves its own time on.
  virtual void Sleep(absl::Duration duration) = 0;

  // The system's clock; lives for ever.
  static Clock* Real();
};

// A clock that stands still until it is told to move. Thread-compatible.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(absl::Time now) : now_(now) {}
  absl::Time Now() const override { return now_; }
  void Sleep(absl::Duration duration) override { now_ += duration; }
  void Advance(absl::Duration duration) { now_ += duration; }

 private:
  absl::Time now_;
};

}  // namespace corefleet

#endif  // COREFLEET_BASE_CLOCK_H_

#ifndef COREFLEET_BASE_BOOT_CLOCK_H_
#define COREFLEET_BASE_BOOT_CLOCK_H_

#include "absl/time/time.h"

namespace corefleet {

// Tells how long this machine has been up, sleep included. Never jumps and never goes back, whatever the wall
// clock does: what a device without a set clock can count on. Thread-safe.
class BootClock {
 public:
  virtual ~BootClock() = default;
  virtual absl::Duration SinceBoot() const = 0;

  // The system's; lives for ever.
  static BootClock* Real();
};

// One that stands still until it is told to move. Thread-compatible.
class FakeBootClock final : public BootClock {
 public:
  explicit FakeBootClock(absl::Duration since_boot = absl::Seconds(30)) : since_boot_(since_boot) {}
  absl::Duration SinceBoot() const override { return since_boot_; }
  void Advance(absl::Duration duration) { since_boot_ += duration; }
  // Another boot.
  void Set(absl::Duration since_boot) { since_boot_ = since_boot; }

 private:
  absl::Duration since_boot_;
};

}  // namespace corefleet

#endif  // COREFLEET_BASE_BOOT_CLOCK_H_

#include "base/boot_clock.h"

#include <time.h>

namespace corefleet {
namespace {

class RealBootClock final : public BootClock {
 public:
  absl::Duration SinceBoot() const override {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return absl::DurationFromTimespec(now);
  }
};

}  // namespace

BootClock* BootClock::Real() {
  static RealBootClock* const real = new RealBootClock;
  return real;
}

}  // namespace corefleet

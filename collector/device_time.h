#ifndef COREFLEET_COLLECTOR_DEVICE_TIME_H_
#define COREFLEET_COLLECTOR_DEVICE_TIME_H_

#include <string>

#include "base/boot_clock.h"
#include "base/clock.h"
#include "collector/policy/moment.h"

namespace corefleet {

// The device's two clocks and which boot this is. Thread-safe; the clocks must outlive it.
struct DeviceTime {
  Clock* wall = Clock::Real();
  BootClock* boot = BootClock::Real();
  std::string boot_id;

  Moment Now() const { return {.wall = wall->Now(), .since_boot = boot->SinceBoot(), .boot_id = boot_id}; }
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_DEVICE_TIME_H_

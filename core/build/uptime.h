#ifndef COREFLEET_CORE_BUILD_UPTIME_H_
#define COREFLEET_CORE_BUILD_UPTIME_H_

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"

namespace corefleet {

// Seconds since boot by jiffies_64, which starts at (2^32 - 300 * hz), not at zero. `hz` must not be 0.
double UptimeOf(uint64_t jiffies_64, uint32_t hz);

// True when `jiffies_64` is of a machine that ran less than thirty years.
bool IsPlausibleJiffies(uint64_t jiffies_64, uint32_t hz);

// The tick rate that a line of the kernel log gives away: `clocksource: jiffies: ... max_idle_ns: N ns`, or
// the BogoMIPS line with its lpj. nullopt for other lines.
std::optional<uint32_t> HzFromLogLine(absl::string_view line);

// The usual tick rate that gives the shortest uptime which is not shorter than the newest stamp of the log,
// less some slack: the tick stops in a panic, and stamps go on. nullopt when none fits. A guess.
std::optional<uint32_t> GuessHz(uint64_t jiffies_64, double newest_stamp_seconds);

}  // namespace corefleet

#endif  // COREFLEET_CORE_BUILD_UPTIME_H_

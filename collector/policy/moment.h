#ifndef COREFLEET_COLLECTOR_POLICY_MOMENT_H_
#define COREFLEET_COLLECTOR_POLICY_MOMENT_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace corefleet {

// A point in time as a device knows it: by a wall clock that may say 1970 or jump, and by a count that is
// right but starts again at each boot.
struct Moment {
  absl::Time wall = absl::UnixEpoch();
  absl::Duration since_boot = absl::ZeroDuration();
  std::string boot_id;

  friend bool operator==(const Moment&, const Moment&) = default;
};

// How much time has surely passed between two moments, the earlier one first; never negative.
//   Within a boot the wall clock is not asked. Over a reboot its difference counts if both readings are
//   possible (no earlier than 2024) and not backwards; else the time since the later boot, which is the least
//   that has passed.
// A clock that jumps ahead over a reboot makes it too long: whoever grants something for it bounds what it
// grants.
absl::Duration TimePassed(const Moment& from, const Moment& to);

// One line without '=' or newline, and back. An unreadable one is the epoch of no boot: long ago.
std::string FormatMoment(const Moment& moment);
Moment ParseMoment(absl::string_view text);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_POLICY_MOMENT_H_

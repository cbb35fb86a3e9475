#ifndef COREFLEET_SERVER_WATCHDOG_DESCRIPTOR_LIMIT_H_
#define COREFLEET_SERVER_WATCHDOG_DESCRIPTOR_LIMIT_H_

#include "absl/status/statusor.h"

namespace corefleet {

// Lets this process have as many file descriptors as the system allows it without asking anybody, and gives
// that number.
//   FAILED_PRECONDITION  they are too few to serve with (below 128)
absl::StatusOr<int> RaiseDescriptorLimit();

// Who may use which part of `limit` descriptors, as the number from which on a new connection of a port is
// refused. The top belongs to what is under way: files, the database, logs. Below that a part is the
// engineers' alone, so that devices in any number do not lock out who would look why. Pure.
struct DescriptorShares {
  int ingest_below = 0;
  int archive_below = 0;
};
DescriptorShares ShareDescriptors(int limit);

}  // namespace corefleet

#endif  // COREFLEET_SERVER_WATCHDOG_DESCRIPTOR_LIMIT_H_

#ifndef COREFLEET_CORE_KDUMP_READER_CONFINEMENT_H_
#define COREFLEET_CORE_KDUMP_READER_CONFINEMENT_H_

#include "absl/status/status.h"

namespace corefleet {

// Takes from this process for ever whatever a reader of a hostile file does not need: more than 2 GiB of
// address space, 10 minutes of processor time, a core of its own, new descriptors, new privileges, and every
// system call but those for memory, for the descriptors it has, and for its end. A forbidden call kills it.
// Under a sanitizer, which needs more of all this, only descriptors, core and privileges are taken.
//   INTERNAL  the kernel refused one of these
absl::Status ConfineThisProcess();

}  // namespace corefleet

#endif  // COREFLEET_CORE_KDUMP_READER_CONFINEMENT_H_

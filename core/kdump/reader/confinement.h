#ifndef COREFLEET_CORE_KDUMP_READER_CONFINEMENT_H_
#define COREFLEET_CORE_KDUMP_READER_CONFINEMENT_H_

#include <cstdint>

#include "absl/status/status.h"

namespace corefleet {

struct Confinement {
  uint64_t address_space = uint64_t{2} << 30;  // bytes
  uint64_t processor_seconds = 600;
};

// Takes from this process for ever whatever a reader of a hostile file does not need: more address space and
// processor time than `confinement` says, a core of its own, new descriptors, new privileges, and every
// system call but those for memory, for the descriptors it has, and for its end. A forbidden call kills it.
// Under a sanitizer, which needs more of all this, only descriptors, core and privileges are taken.
//   INTERNAL  the kernel refused one of these
absl::Status ConfineThisProcess(const Confinement& confinement = {});

}  // namespace corefleet

#endif  // COREFLEET_CORE_KDUMP_READER_CONFINEMENT_H_

#ifndef COREFLEET_CORE_VMCOREINFO_MACHINE_H_
#define COREFLEET_CORE_VMCOREINFO_MACHINE_H_

#include <cstdint>

#include "core/vmcoreinfo/vmcoreinfo.h"

namespace corefleet {

// The ELF machine number (62 x86-64, 183 arm64, 243 riscv64) of the kernel that wrote the text, by the keys
// that only that architecture exports; 0 when it has none of them. For dumps whose own header does not say,
// as QEMU's. Total.
uint16_t MachineOf(const Vmcoreinfo& vmcoreinfo);

}  // namespace corefleet

#endif  // COREFLEET_CORE_VMCOREINFO_MACHINE_H_

#ifndef COREFLEET_CORE_KDUMP_MACHINE_MEMORY_H_
#define COREFLEET_CORE_KDUMP_MACHINE_MEMORY_H_

#include <cstdint>
#include <memory>

#include "absl/types/span.h"
#include "core/kdump/dumped_memory.h"
#include "core/kdump/translation.h"
#include "core/vmcoreinfo/vmcoreinfo.h"

namespace corefleet {

// Gives physical memory its virtual addresses: by the kernel's own page table where that is there and maps
// what VMCOREINFO says is mapped, else by arithmetic. What neither knows `fallback` is asked for; it may be
// null. Never null. Keeps both alive. Arguments: Translation::Of's.
std::shared_ptr<const DumpedMemory> WithVirtualAddresses(std::shared_ptr<const PhysicalMemory> physical,
                                                         std::shared_ptr<const AddressSpace> fallback,
                                                         uint16_t machine, const Vmcoreinfo& info,
                                                         absl::Span<const KnownMapping> known);

}  // namespace corefleet

#endif  // COREFLEET_CORE_KDUMP_MACHINE_MEMORY_H_

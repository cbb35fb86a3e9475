#ifndef COREFLEET_CORE_REASSEMBLY_HEADERLESS_H_
#define COREFLEET_CORE_REASSEMBLY_HEADERLESS_H_

#include <vector>

#include "core/meminspect/region_ids.h"
#include "core/reassembly/piece.h"
#include "core/vmcoreinfo/vmcoreinfo.h"

namespace corefleet {

// Slots for what no program header says: 16 KiB and 64 KiB page kernels lose the ELF header region
// altogether, and any device may lose its file.

// Adds a slot for every row of the address tables and every piece with an address of its own, unless a slot
// of that address and size is there. New slots are in address order. Rows that leave the address space become
// defects.
void AddSlotsOfAddresses(const Inventory& inventory, const std::vector<bool>& skip, std::vector<Slot>* slots,
                         std::vector<Defect>* defects);

// Gives slots without a virtual address theirs: statics are in the kernel image (arm64: kimage_voffset,
// x86-64: phys_base), everything registered at run time is in the linear map. x86-64 does not tell where that
// starts; it is learned from a pointer into it whose target's physical address is known.
void DeriveVirtualAddresses(MeminspectSeries series, const Vmcoreinfo& vmcoreinfo,
                            const std::vector<Piece>& pieces, std::vector<Slot>* slots);

// The last resort, with neither header nor table: slots at the addresses that VMCOREINFO gives for symbols,
// and where the log's ring points. Enough to read the log, the release and the version.
void AddSlotsOfSymbols(MeminspectSeries series, const Vmcoreinfo& vmcoreinfo,
                       const std::vector<Piece>& pieces, const std::vector<bool>& skip,
                       std::vector<Slot>* slots);

// Slots at the addresses that regions with many empty list heads say of themselves: run queues, pglist_data.
void AddSlotsOfSelfPointers(const Vmcoreinfo& vmcoreinfo, const std::vector<Piece>& pieces,
                            const std::vector<bool>& skip, std::vector<Slot>* slots);

}  // namespace corefleet

#endif  // COREFLEET_CORE_REASSEMBLY_HEADERLESS_H_

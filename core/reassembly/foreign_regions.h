#ifndef COREFLEET_CORE_REASSEMBLY_FOREIGN_REGIONS_H_
#define COREFLEET_CORE_REASSEMBLY_FOREIGN_REGIONS_H_

#include <vector>

#include "core/reassembly/piece.h"

namespace corefleet {

// Adds a slot for every piece that has an address and no name that Linux gives: whole DDR ranges, the memory
// of other processors (OCIMEM.BIN, md_modem_log.BIN). Firmware saves them beside Linux's regions, and no
// program header lists them. At their own addresses they can be read, and cannot be mistaken for a Linux
// region that is missing. Behind all other slots, so that those answer first where both have the bytes; a
// slot of that address and size is not added again.
void AddSlotsOfForeignRegions(const RegionSet& set, const Inventory& inventory, const std::vector<bool>& skip,
                              std::vector<Slot>* slots);

}  // namespace corefleet

#endif  // COREFLEET_CORE_REASSEMBLY_FOREIGN_REGIONS_H_

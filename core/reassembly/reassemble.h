#ifndef COREFLEET_CORE_REASSEMBLY_REASSEMBLE_H_
#define COREFLEET_CORE_REASSEMBLY_REASSEMBLE_H_

#include "core/crash/region_set.h"
#include "core/reassembly/core_image.h"

namespace corefleet {

// Puts a region set together. Total: whatever the regions are, the result is an image with the defects named,
// never an error, and no region's bytes are ever changed by what another region lacks.
//
// Identity is (physical address, size) as the ELF header region's program headers list them. Names, ids,
// order and gaps are hints: they decide only where an address table is missing, and then they are checked
// against sizes, against VMCOREINFO's symbols and against content. Deterministic, and independent of the
// order of `set.regions`. Pure; reads the sources only as far as it needs (headers, VMCOREINFO, a few
// anchors).
CoreImage Reassemble(const RegionSet& set);

}  // namespace corefleet

#endif  // COREFLEET_CORE_REASSEMBLY_REASSEMBLE_H_

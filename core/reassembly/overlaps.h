#ifndef COREFLEET_CORE_REASSEMBLY_OVERLAPS_H_
#define COREFLEET_CORE_REASSEMBLY_OVERLAPS_H_

#include "core/reassembly/core_image.h"

namespace corefleet {

// Appends a REGION_OVERLAP defect for segments that cover the same physical memory. meminspect's 8-byte marks
// lie inside other regions by design: they are reported only when their bytes differ, which means that the
// memory changed while it was being saved. Bounded: stops after 256 pairs.
void FindOverlaps(CoreImage* image);

}  // namespace corefleet

#endif  // COREFLEET_CORE_REASSEMBLY_OVERLAPS_H_

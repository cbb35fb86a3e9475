#ifndef COREFLEET_CORE_REBUILD_H_
#define COREFLEET_CORE_REBUILD_H_

#include "core/crash/region_set.h"
#include "core/reassembly/core_image.h"

namespace corefleet {

// A crash taken out of the files it came in, and put together.
struct Rebuilt {
  RegionSet set;    // Unpacked::set: the received regions first, at their own indexes
  CoreImage image;  // of `set`; its defects include what unpacking found
};

// Total. Without an opener compressed dumps give only what their header says.
Rebuilt Rebuild(const RegionSet& received, const DumpOpener* opener);

}  // namespace corefleet

#endif  // COREFLEET_CORE_REBUILD_H_

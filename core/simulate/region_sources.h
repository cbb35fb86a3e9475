#ifndef COREFLEET_CORE_SIMULATE_REGION_SOURCES_H_
#define COREFLEET_CORE_SIMULATE_REGION_SOURCES_H_

#include <vector>

#include "core/simulate/region_plan.h"
#include "core/simulate/simulate.h"

namespace corefleet {

// The same regions, saved in the ways of firmware and tools. `table` is false where the list of regions was
// not saved.

// One file a region, minidump_toc.bin beside them.
std::vector<SimulatedFile> WriteRegionFolder(const RegionPlan& plan, bool table);
// What edl leaves: a folder "memory", and its own log.
std::vector<SimulatedFile> WriteEdlFolder(const RegionPlan& plan, bool table);

// What qdl leaves: minidump.elf, in which the files stand one after the other, and the debug table.
std::vector<SimulatedFile> WriteQdlFolder(const RegionPlan& plan, bool table);

struct RawDumpDamage {
  bool insufficient_storage = false;
  bool consumed = false;
};
// One Raw_Dmp! partition.
std::vector<SimulatedFile> WriteRawDumpFile(const RegionPlan& plan, const RawDumpDamage& damage);
// The blob of the AIC100 driver.
std::vector<SimulatedFile> WriteQaicFile(const RegionPlan& plan);
// A Debug Kinfo area, of the layout that the kernel's age suggests.
std::vector<SimulatedFile> WriteKinfoFile(const ModelKernel& kernel, const ModelMemory& memory);

}  // namespace corefleet

#endif  // COREFLEET_CORE_SIMULATE_REGION_SOURCES_H_

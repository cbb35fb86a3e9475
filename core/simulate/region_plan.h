#ifndef COREFLEET_CORE_SIMULATE_REGION_PLAN_H_
#define COREFLEET_CORE_SIMULATE_REGION_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/simulate/damage.h"
#include "core/simulate/model_memory.h"
#include "core/simulate/random.h"

namespace corefleet {

// A region as it will be saved.
struct SavedRegion {
  std::string name;  // as its table row is called
  uint32_t id = 0;
  std::string symbol;
  uint64_t vaddr = 0;
  uint64_t paddr = 0;
  uint64_t size = 0;           // as header and table say, a multiple of 4
  std::vector<uint8_t> bytes;  // as saved
  bool has_load = true;        // the header region lists it
  bool has_file = true;        // it was saved
  std::string file_name;       // "md_Kprb_info24.BIN"; damage may exchange two
};

// What meminspect's minidump driver hands to firmware: the header region, the VMCOREINFO text, and all
// others. The first two are regions[0] and regions[1].
struct RegionPlan {
  std::vector<SavedRegion> regions;
  // How many of them damage has touched so far, so that each damage picks another one.
  std::vector<bool> touched;
};

// As a machine in good health leaves it. `header_damage` are the damages to what the header lists.
RegionPlan PlanRegions(const ModelKernel& kernel, const ModelMemory& memory,
                       const std::vector<Damage>& damages, Random* random);

// Does one damage to the regions. INVALID_ARGUMENT when its argument names no region that is there.
absl::Status DamageRegions(const Damage& damage, Random* random, RegionPlan* plan);

}  // namespace corefleet

#endif  // COREFLEET_CORE_SIMULATE_REGION_PLAN_H_

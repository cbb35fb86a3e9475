#include "core/simulate/received.h"

#include <memory>
#include <optional>
#include <utility>

#include "core/meminspect/names.h"

namespace corefleet {

RegionSet ReceivedFrom(const std::vector<SimulatedFile>& files) {
  RegionSet set;
  for (const SimulatedFile& file : files) {
    Region region;
    region.kind = RegionKind::kArtifact;
    region.file_name = file.name.substr(file.name.rfind('/') + 1);
    region.bytes = std::make_shared<MemorySource>(file.bytes);
    if (std::optional<RegionFileName> name = ParseRegionFileName(region.file_name)) {
      region.kind = RegionKind::kMemory;
      region.name = std::move(name->name);
      region.id = name->id;
    }
    set.regions.push_back(std::move(region));
  }
  return set;
}

}  // namespace corefleet

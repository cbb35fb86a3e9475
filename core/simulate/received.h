#ifndef COREFLEET_CORE_SIMULATE_RECEIVED_H_
#define COREFLEET_CORE_SIMULATE_RECEIVED_H_

#include <vector>

#include "core/crash/region_set.h"
#include "core/simulate/simulate.h"

namespace corefleet {

// The files as the server receives them from a collector: region files are memory, named and numbered as
// their file names say; everything else is a file whose content has to tell.
RegionSet ReceivedFrom(const std::vector<SimulatedFile>& files);

}  // namespace corefleet

#endif  // COREFLEET_CORE_SIMULATE_RECEIVED_H_

#ifndef COREFLEET_CORE_SIMULATE_VENDOR_SOURCES_H_
#define COREFLEET_CORE_SIMULATE_VENDOR_SOURCES_H_

#include <vector>

#include "core/simulate/model_memory.h"
#include "core/simulate/simulate.h"

namespace corefleet {

// What a vendor's own minidump driver has firmware save: a header region with names and without VMCOREINFO,
// the log, stacks, run queues.
std::vector<SimulatedFile> WriteVendorMinidump(const ModelKernel& kernel, const ModelMemory& memory);

// The dump of a co-processor beside the application processor, as remoteproc hands it out: memory of no
// Linux.
std::vector<SimulatedFile> WriteCoprocessorFile(uint64_t seed);

}  // namespace corefleet

#endif  // COREFLEET_CORE_SIMULATE_VENDOR_SOURCES_H_

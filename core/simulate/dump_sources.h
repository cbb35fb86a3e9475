#ifndef COREFLEET_CORE_SIMULATE_DUMP_SOURCES_H_
#define COREFLEET_CORE_SIMULATE_DUMP_SOURCES_H_

#include <vector>

#include "core/simulate/model_memory.h"
#include "core/simulate/simulate.h"

namespace corefleet {

// Dumps of the whole machine, as a crash kernel saves them. The model machine has no other memory than what
// meminspect would have registered: the pages that hold it are the dump.

// /proc/vmcore, copied.
std::vector<SimulatedFile> WriteVmcoreFile(const ModelKernel& kernel, const ModelMemory& memory);
// The same through makedumpfile -F.
std::vector<SimulatedFile> WriteFlatVmcoreFile(const ModelKernel& kernel, const ModelMemory& memory);
// makedumpfile's compressed format, with zlib. Two parts if `split`, as makedumpfile --split writes them.
std::vector<SimulatedFile> WriteKdumpFiles(const ModelKernel& kernel, const ModelMemory& memory, bool split);

}  // namespace corefleet

#endif  // COREFLEET_CORE_SIMULATE_DUMP_SOURCES_H_

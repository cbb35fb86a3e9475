#ifndef COREFLEET_CORE_BUILD_CPU_MASK_H_
#define COREFLEET_CORE_BUILD_CPU_MASK_H_

#include <cstdint>
#include <vector>

#include "core/bytes/byte_reader.h"
#include "core/bytes/byte_view.h"

namespace corefleet {

// Linux knows at most 8192 CPUs; a longer mask is cut here.
inline constexpr size_t kMaxCpuMaskBytes = 8192 / 8;

// The CPU numbers in a kernel bitmap of any length, ascending. `word` (4 or 8) matters for big-endian only.
std::vector<uint32_t> CpusOfMask(ByteView mask, uint32_t word, Endian endian);

}  // namespace corefleet

#endif  // COREFLEET_CORE_BUILD_CPU_MASK_H_

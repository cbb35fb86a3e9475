#ifndef COREFLEET_CORE_MINIDUMP_QAIC_H_
#define COREFLEET_CORE_MINIDUMP_QAIC_H_

#include <cstdint>
#include <vector>

#include "core/unpack/pieces.h"

namespace corefleet {

inline constexpr uint64_t kQaicMagic = 0x1234567890abcdef;
inline constexpr uint64_t kQaicVersion = 1;
inline constexpr uint64_t kQaicHeaderBytes = 32;

// The blob of table and regions that AIC100 cards leave, of a host of either byte order. Source:
// docs/formats/qaic.md.
bool LooksLikeQaic(ByteView head, uint64_t size);

// Rows become regions at their physical addresses; rows of other things than memory become artifacts.
void UnpackQaic(const std::vector<Artifact>& files, const DumpOpener* opener, Pieces* out);

}  // namespace corefleet

#endif  // COREFLEET_CORE_MINIDUMP_QAIC_H_

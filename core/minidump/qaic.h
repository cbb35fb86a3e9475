#ifndef COREFLEET_CORE_MINIDUMP_QAIC_H_
#define COREFLEET_CORE_MINIDUMP_QAIC_H_

#include "core/unpack/pieces.h"

namespace corefleet {

// The blob of table and regions that AIC100 cards leave. Source: docs/formats/qaic.md.
bool LooksLikeQaic(ByteView head, uint64_t size);
void UnpackQaic(const std::vector<Artifact>& files, const DumpOpener* opener, Pieces* out);

}  // namespace corefleet

#endif  // COREFLEET_CORE_MINIDUMP_QAIC_H_

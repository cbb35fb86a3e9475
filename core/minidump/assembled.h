#ifndef COREFLEET_CORE_MINIDUMP_ASSEMBLED_H_
#define COREFLEET_CORE_MINIDUMP_ASSEMBLED_H_

#include "core/unpack/pieces.h"

namespace corefleet {

// A meminspect core that a tool put together of its files: qdl's minidump.elf, the cover letter's cat, our
// own `concat`. Its regions may be shifted when one was missing; they are then found again by content.
bool LooksLikeAssembled(ByteView head);
void UnpackAssembled(const std::vector<Artifact>& files, const DumpOpener* opener, Pieces* out);

}  // namespace corefleet

#endif  // COREFLEET_CORE_MINIDUMP_ASSEMBLED_H_

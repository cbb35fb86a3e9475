#ifndef COREFLEET_CORE_KDUMP_VMCORE_H_
#define COREFLEET_CORE_KDUMP_VMCORE_H_

#include "core/unpack/pieces.h"

namespace corefleet {

// Dumps of a whole machine, flattened or not. Source: docs/formats/kdump.md.
// An ELF core with notes of a kernel, of any class and byte order.
bool LooksLikeVmcore(ByteView head);
// makedumpfile's compressed format.
bool LooksLikeCompressedDump(ByteView head);
void UnpackVmcores(const std::vector<Artifact>& files, const DumpOpener* opener, Pieces* out);
void UnpackCompressedDumps(const std::vector<Artifact>& files, const DumpOpener* opener, Pieces* out);

}  // namespace corefleet

#endif  // COREFLEET_CORE_KDUMP_VMCORE_H_

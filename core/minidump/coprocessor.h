#ifndef COREFLEET_CORE_MINIDUMP_COPROCESSOR_H_
#define COREFLEET_CORE_MINIDUMP_COPROCESSOR_H_

#include "core/unpack/pieces.h"

namespace corefleet {

// What remoteproc leaves of a co-processor: an ELF core with named sections and no loads, or with loads and
// no notes.
bool LooksLikeCoprocessorDump(ByteView head);
void UnpackCoprocessorDumps(const std::vector<Artifact>& files, const DumpOpener* opener, Pieces* out);

}  // namespace corefleet

#endif  // COREFLEET_CORE_MINIDUMP_COPROCESSOR_H_

#ifndef COREFLEET_CORE_MINIDUMP_RAW_DUMP_H_
#define COREFLEET_CORE_MINIDUMP_RAW_DUMP_H_

#include "core/unpack/pieces.h"

namespace corefleet {

// The container that boot firmware writes into a partition. Source: docs/formats/raw-dump.md.
bool LooksLikeRawDump(ByteView head);
// Sections become regions under their own names; sections that are tables or scripts become artifacts. Takes
// a consumed mark (MiniDump, CopyDone) for what it is: kCollectedBefore.
void UnpackRawDumps(const std::vector<Artifact>& files, const DumpOpener* opener, Pieces* out);

}  // namespace corefleet

#endif  // COREFLEET_CORE_MINIDUMP_RAW_DUMP_H_

#include "core/minidump/raw_dump.h"

namespace corefleet {

bool LooksLikeRawDump(ByteView) { return false; }

void UnpackRawDumps(const std::vector<Artifact>&, const DumpOpener*, Pieces*) {}

}  // namespace corefleet

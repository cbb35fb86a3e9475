#include "core/kdump/vmcore.h"

namespace corefleet {

bool LooksLikeVmcore(ByteView) { return false; }

void UnpackVmcores(const std::vector<Artifact>&, const DumpOpener*, Pieces*) {}

bool LooksLikeCompressedDump(ByteView) { return false; }

void UnpackCompressedDumps(const std::vector<Artifact>&, const DumpOpener*, Pieces*) {}

}  // namespace corefleet

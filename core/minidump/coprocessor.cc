#include "core/minidump/coprocessor.h"

namespace corefleet {

bool LooksLikeCoprocessorDump(ByteView) { return false; }

void UnpackCoprocessorDumps(const std::vector<Artifact>&, const DumpOpener*, Pieces*) {}

}  // namespace corefleet

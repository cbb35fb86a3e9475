#include "core/minidump/assembled.h"

namespace corefleet {

bool LooksLikeAssembled(ByteView) { return false; }

void UnpackAssembled(const std::vector<Artifact>&, const DumpOpener*, Pieces*) {}

}  // namespace corefleet

#include "core/minidump/qaic.h"

namespace corefleet {

bool LooksLikeQaic(ByteView, uint64_t) { return false; }

void UnpackQaic(const std::vector<Artifact>&, const DumpOpener*, Pieces*) {}

}  // namespace corefleet

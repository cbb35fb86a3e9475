#include "core/kinfo/kinfo_area.h"

namespace corefleet {

bool LooksLikeKinfo(ByteView) { return false; }

void UnpackKinfos(const std::vector<Artifact>&, const DumpOpener*, Pieces*) {}

}  // namespace corefleet

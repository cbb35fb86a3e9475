#include "core/pstore/ramoops.h"

namespace corefleet {

bool LooksLikeRamoops(ByteView) { return false; }

void UnpackRamoops(const std::vector<Artifact>&, const DumpOpener*, Pieces*) {}

}  // namespace corefleet

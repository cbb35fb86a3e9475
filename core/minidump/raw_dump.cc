#include "core/minidump/raw_dump.h"

namespace corefleet {

void UnpackRawDumps(const std::vector<Artifact>&, const DumpOpener*, Pieces*) {}

}  // namespace corefleet

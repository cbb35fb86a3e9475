#include "core/pstore/records.h"

namespace corefleet {

bool LooksLikePstoreFile(const std::string&, ByteView) { return false; }

void UnpackPstoreRecords(const std::vector<Artifact>&, const DumpOpener*, Pieces*) {}

}  // namespace corefleet

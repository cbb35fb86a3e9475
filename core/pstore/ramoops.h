#ifndef COREFLEET_CORE_PSTORE_RAMOOPS_H_
#define COREFLEET_CORE_PSTORE_RAMOOPS_H_

#include "core/unpack/pieces.h"

namespace corefleet {

// Raw zones of a ramoops area: header, ring, error correction. Source: docs/formats/pstore.md.
bool LooksLikeRamoops(ByteView head);
void UnpackRamoops(const std::vector<Artifact>& files, const DumpOpener* opener, Pieces* out);

}  // namespace corefleet

#endif  // COREFLEET_CORE_PSTORE_RAMOOPS_H_

#ifndef COREFLEET_CORE_KINFO_KINFO_AREA_H_
#define COREFLEET_CORE_KINFO_KINFO_AREA_H_

#include "core/unpack/pieces.h"

namespace corefleet {

// A Debug Kinfo area: magic number, checksum, one of six layouts. Source: docs/formats/kinfo.md.
bool LooksLikeKinfo(ByteView head);
void UnpackKinfos(const std::vector<Artifact>& files, const DumpOpener* opener, Pieces* out);

}  // namespace corefleet

#endif  // COREFLEET_CORE_KINFO_KINFO_AREA_H_

#ifndef COREFLEET_CORE_KINFO_KINFO_AREA_H_
#define COREFLEET_CORE_KINFO_KINFO_AREA_H_

#include <optional>

#include "core/unpack/pieces.h"

namespace corefleet {

// A Debug Kinfo area: magic number, checksum, one of seven layouts. Source: docs/formats/kinfo.md.
bool LooksLikeKinfo(ByteView head);
// One Kinfo a file, those with a right checksum first; a wrong one is a kKinfoDamaged, and what is plausible
// is read all the same.
void UnpackKinfos(const std::vector<Artifact>& files, const DumpOpener* opener, Pieces* out);

// Reads an area, which may be longer than what is in it. The checksum is an exclusive or, so that it holds
// for a longer layout too when what follows is zero: which layout it is, is decided by what its fields say,
// and then by the least size. Nothing when no layout's release and sizes make sense. Total.
std::optional<Kinfo> ParseKinfo(ByteView area);

}  // namespace corefleet

#endif  // COREFLEET_CORE_KINFO_KINFO_AREA_H_

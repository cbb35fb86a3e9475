#ifndef COREFLEET_CORE_MINIDUMP_RAW_DUMP_H_
#define COREFLEET_CORE_MINIDUMP_RAW_DUMP_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/bytes/byte_view.h"
#include "core/unpack/pieces.h"

namespace corefleet {

// The container that boot firmware writes into a partition. Source: docs/formats/raw-dump.md.
//
// `head` is the beginning of the partition or file: kArtifactHeadBytes, or all there is. True for all three
// marks (Raw_Dmp!, MiniDump, CopyDone), and for a mark of zeros if everything behind it can only be a dump.
bool LooksLikeRawDump(ByteView head);

// Sections become regions under their own names; sections that are tables or scripts become artifacts. Takes
// a consumed mark (MiniDump, CopyDone, zeros) for what it is: kCollectedBefore.
void UnpackRawDumps(const std::vector<Artifact>& files, const DumpOpener* opener, Pieces* out);

// How much of a partition is the dump, for who must send it without the rest of the partition.
struct RawDumpExtent {
  // From the partition's start: the dump's own size, but never less than its headers and the sections that
  // were written. Hostile like all of it: cap it by the partition's size.
  uint64_t bytes = 0;
  bool consumed = false;  // somebody took it off the device before, and marked it so
  bool valid = false;     // the firmware says that it finished writing
};

// Reads `head` as LooksLikeRawDump.
//   NOT_FOUND     it is no dump
//   OUT_OF_RANGE  it may be one, but fewer than its 56 bytes of header are there
absl::StatusOr<RawDumpExtent> MeasureRawDump(ByteView head);

// What a mark takes: the first bytes of a dump.
inline constexpr size_t kRawDumpMarkBytes = 8;

// Puts the firmware's own mark, `Raw_Dmp!`, over a consumed one; other bytes stay, and so does a `head` that
// is no dump (fewer bytes than a header among them). A collector sends a dump with this, because the mark
// says who has read the dump and nothing about the crash: an upload that is repeated after the device's own
// scripts have marked the partition must have the same bytes, so that the server sees the crash that it has
// and not a second one.
void NormaliseRawDumpMark(absl::Span<uint8_t> head);

}  // namespace corefleet

#endif  // COREFLEET_CORE_MINIDUMP_RAW_DUMP_H_

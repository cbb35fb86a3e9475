#ifndef COREFLEET_CORE_KDUMP_FLATTENED_H_
#define COREFLEET_CORE_KDUMP_FLATTENED_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/bytes/byte_source.h"

namespace corefleet {

// makedumpfile's flattened form: what it writes where it cannot seek, a pipe or ssh. A 4096-byte header, then
// pieces of the real file, each behind {offset, size}, 64-bit and big-endian; -1, -1 ends it. Pieces come in
// any order, and a later one may write over an earlier one. Source: docs/formats/kdump.md.

inline constexpr uint64_t kFlattenedHeaderBytes = 4096;
inline constexpr uint64_t kFlattenedPieceHeaderBytes = 16;

bool LooksLikeFlattened(ByteView head);

// What of the real file's beginning is in `head`, the beginning of the stream: enough to recognise it. Empty
// when the piece with offset 0 is not in there.
ByteView FirstFlattenedPiece(ByteView head);

struct Unflattened {
  std::shared_ptr<const ByteSource> bytes;  // the real file; never null; what no piece wrote reads as zeros
  // Why the stream is not whole, for a person; "" when it is.
  std::string cut;
};

// Reads only the pieces' headers; their bytes are read where they are asked for. Keeps `stream` alive. Takes
// at most 24 bytes of memory per piece, of which it reads at most kMaxFlattenedPieces.
//   INVALID_ARGUMENT  no flattened stream
//   UNIMPLEMENTED     of another type or version than 1
//   other codes       ReadAt's
absl::StatusOr<Unflattened> Unflatten(std::shared_ptr<const ByteSource> stream);

inline constexpr size_t kMaxFlattenedPieces = size_t{1} << 20;

}  // namespace corefleet

#endif  // COREFLEET_CORE_KDUMP_FLATTENED_H_

#ifndef COREFLEET_CORE_DIGEST_CHUNK_H_
#define COREFLEET_CORE_DIGEST_CHUNK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/bytes/byte_view.h"
#include "core/digest/digest.h"

namespace corefleet {

// How a chunk's bytes travel and are stored. The numbers are stored and sent: never reuse one.
enum class ChunkEncoding : uint8_t {
  kRaw = 0,
  kZstd = 1,  // one zstd frame (RFC 8878) that says its content size
};

// A chunk as it travels.
struct EncodedChunk {
  ChunkEncoding encoding = ChunkEncoding::kRaw;
  std::string bytes;
};

// Encodes 1 to kChunkBytes raw bytes: zstd level 1 (slower levels do not pay on a device), or raw when that
// is not smaller. Thread-safe. Cannot fail: what zstd refuses stays raw.
EncodedChunk EncodeChunk(ByteView raw);

// Undoes the encoding of one chunk and checks it. Thread-safe.
//   DATA_LOSS  raw_size is 0 or more than kChunkBytes, `stored` is not exactly one frame of raw_size bytes,
//   or the
//              digest differs. Nothing larger than raw_size is ever inflated.
absl::StatusOr<std::vector<uint8_t>> DecodeChunk(ChunkEncoding encoding, ByteView stored, uint32_t raw_size,
                                                 const Sha256Digest& digest);

// Checks a chunk as DecodeChunk does, with the same codes, and keeps nothing: a raw chunk is not copied, and
// what is inflated goes into 64 KiB that each thread has for good. Thread-safe.
absl::Status CheckChunk(ChunkEncoding encoding, ByteView stored, uint32_t raw_size,
                        const Sha256Digest& digest);

}  // namespace corefleet

#endif  // COREFLEET_CORE_DIGEST_CHUNK_H_

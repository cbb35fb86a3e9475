#ifndef COREFLEET_CORE_DIGEST_DIGEST_H_
#define COREFLEET_CORE_DIGEST_DIGEST_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/bytes/byte_source.h"
#include "core/bytes/byte_view.h"

namespace corefleet {

using Sha256Digest = std::array<uint8_t, 32>;

// SHA-256 piece by piece. Not thread-safe; movable.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void Update(ByteView bytes);
  // Ends the digest. Call it once.
  Sha256Digest Finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

Sha256Digest Sha256Of(ByteView bytes);
// Reads the source through a 64 KiB buffer. Codes: ByteSource::ReadAt's.
absl::StatusOr<Sha256Digest> Sha256Of(const ByteSource& source);
std::string HexOf(const Sha256Digest& digest);

// CRC-32C (Castagnoli, as in RFC 3720), starting from 0. Guards a chunk on the wire and a pack in a segment.
uint32_t Crc32c(ByteView bytes);
// The checksum of what `crc` is the checksum of, with `bytes` behind it.
uint32_t ExtendCrc32c(uint32_t crc, ByteView bytes);

// The fixed grain of transport, resume and digests, in bytes. A region's root does not depend on anything
// else.
inline constexpr uint32_t kChunkBytes = 64 * 1024;
// How many chunks `size` bytes make; 0 bytes make none.
inline constexpr uint64_t ChunkCount(uint64_t size) { return size / kChunkBytes + (size % kChunkBytes != 0); }
// Raw bytes of chunk `chunk` of a region of `size` bytes; `chunk` must be below ChunkCount(size).
inline constexpr uint32_t ChunkSize(uint64_t size, uint64_t chunk) {
  const uint64_t left = size - chunk * kChunkBytes;
  return left < kChunkBytes ? static_cast<uint32_t>(left) : kChunkBytes;
}

// The root of a region: SHA-256 over the SHA-256s of its chunks, in order. Add chunk digests in order, then
// Finish.
class RegionRoot {
 public:
  void AddChunk(const Sha256Digest& chunk);
  Sha256Digest Finish();

 private:
  Sha256 digest_;
};

}  // namespace corefleet

#endif  // COREFLEET_CORE_DIGEST_DIGEST_H_

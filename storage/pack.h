#ifndef COREFLEET_STORAGE_PACK_H_
#define COREFLEET_STORAGE_PACK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/bytes/byte_view.h"
#include "core/digest/chunk.h"
#include "core/digest/digest.h"

namespace corefleet {

// One chunk inside a pack.
struct PackEntry {
  uint32_t region = 0;  // index into the manifest
  uint64_t chunk = 0;   // index of the chunk in the region
  ChunkEncoding encoding = ChunkEncoding::kRaw;
  uint32_t raw_size = 0;     // bytes, at most kChunkBytes
  uint32_t stored_size = 0;  // bytes in the pack
  uint32_t offset = 0;       // of the stored bytes, from the start of the pack
  Sha256Digest digest{};     // of the raw bytes

  friend bool operator==(const PackEntry&, const PackEntry&) = default;
};

// A pack: chunks of one session that became durable together. Its index stands at its front, and a copy of
// the index in the database, so that a read needs one access and a lost database can be rebuilt. Format:
// docs/formats/pack.md.
struct Pack {
  std::vector<PackEntry> entries;
  std::string bytes;  // index, then the stored chunks
};

// The same pack, whose chunks still lie where they arrived: nothing was copied.
struct PackInPieces {
  std::vector<PackEntry> entries;
  std::string index;
  std::vector<std::string> chunks;  // as stored, in the order of the entries

  // What makes the pack when it stands one behind the other. Valid as long as this is neither changed nor
  // moved.
  std::vector<ByteView> pieces() const;
};

// Gathers chunks into a pack. Not thread-safe.
class PackBuilder {
 public:
  // Adds a verified chunk; `stored` are its bytes as they arrived. offset is filled in by Build.
  void Add(PackEntry entry, std::string stored);
  void Add(PackEntry entry, ByteView stored) { Add(entry, std::string(TextOf(stored))); }
  bool empty() const { return entries_.empty(); }
  // Bytes of the chunks gathered so far.
  uint64_t stored_bytes() const { return stored_bytes_; }
  // Ends the pack and starts a new one.
  PackInPieces BuildInPieces(absl::string_view session);
  Pack Build(absl::string_view session);

 private:
  std::vector<PackEntry> entries_;
  std::vector<std::string> chunks_;
  uint64_t stored_bytes_ = 0;
};

// The index alone, as it is kept in the database, and back.
//   DecodePackIndex: DATA_LOSS unless `bytes` is exactly one index whose entries lie inside a pack of
//   `pack_size`. ReadPackIndex: the index at the front of a whole pack, to rebuild a lost database. DATA_LOSS
//   as above.
struct PackIndex {
  std::string session;
  std::vector<PackEntry> entries;
};
std::string EncodePackIndex(absl::string_view session, const std::vector<PackEntry>& entries);
absl::StatusOr<std::vector<PackEntry>> DecodePackIndex(ByteView bytes, uint64_t pack_size);
absl::StatusOr<PackIndex> ReadPackIndex(ByteView pack);

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_PACK_H_

#ifndef COREFLEET_SERVER_INGEST_CHUNK_LEDGER_H_
#define COREFLEET_SERVER_INGEST_CHUNK_LEDGER_H_

#include <cstdint>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "core/digest/digest.h"
#include "core/manifest/manifest.h"
#include "storage/crash_index.h"

namespace corefleet {

// Chunks first .. first + count - 1 of a region.
struct ChunkRange {
  uint32_t region = 0;
  uint64_t first = 0;
  uint64_t count = 0;

  friend bool operator==(const ChunkRange&, const ChunkRange&) = default;
};

// Adds one chunk to `ranges`, to the last one if it goes on there.
void AppendChunk(std::vector<ChunkRange>* ranges, uint32_t region, uint64_t chunk);

// Which chunks of a session are there, with the digests that the server computed itself. Not thread-safe.
class ChunkLedger {
 public:
  ChunkLedger() = default;
  // Of what `packs` hold. Where two hold the same chunk the first one counts, as it does when they are read.
  explicit ChunkLedger(const std::vector<StoredPack>& packs);

  // Does nothing if the chunk is there.
  void Add(uint32_t region, uint64_t chunk, const Sha256Digest& digest);
  void Remove(uint32_t region, uint64_t chunk);
  // nullptr if the chunk is not there. Valid until the next change.
  const Sha256Digest* Find(uint32_t region, uint64_t chunk) const;

  // What of `manifest` is not there, in order. At most one range more than there are chunks, for each region.
  std::vector<ChunkRange> Missing(const Manifest& manifest) const;

  // DATA_LOSS, naming the first region that is whole and whose chunks do not make the root that the manifest
  // announced. What a region that lacks chunks would make, nobody can tell.
  absl::Status CheckRoots(const Manifest& manifest) const;

 private:
  using Region = absl::btree_map<uint64_t, Sha256Digest>;
  absl::btree_map<uint32_t, Region> regions_;
};

// What of `manifest` is not there and is wanted.
std::vector<ChunkRange> MissingOf(const ChunkLedger& ledger, const Manifest& manifest, SessionWant want);

// Bytes of the chunks in `ranges`, which are ranges of `manifest`.
uint64_t BytesIn(const std::vector<ChunkRange>& ranges, const Manifest& manifest);

// How large a crash is of which `ledger` is there; `stored` stays 0.
CrashBytes BytesOfCrash(const Manifest& manifest, const ChunkLedger& ledger);

}  // namespace corefleet

#endif  // COREFLEET_SERVER_INGEST_CHUNK_LEDGER_H_

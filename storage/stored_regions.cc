#include "storage/stored_regions.h"

#include <algorithm>
#include <list>
#include <tuple>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/status_macros.h"
#include "core/digest/chunk.h"
#include "core/digest/digest.h"

namespace corefleet {
namespace {

using ChunkBytes = std::shared_ptr<const std::vector<uint8_t>>;

// One chunk and the pack it is in.
struct StoredChunk {
  PackRef ref;
  PackEntry entry;
};

// The chunks that were read last, of all regions of one set. Thread-safe.
//
// Bounded by bytes and not by number: most regions of a crash are a few bytes long, and a reader comes back
// to each of them several times.
class ChunkCache {
 public:
  using Key = std::pair<uint32_t, uint64_t>;  // region, chunk

  explicit ChunkCache(uint64_t room) : room_(room) {}

  ChunkBytes Find(Key key) {
    absl::MutexLock lock(&mutex_);
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return nullptr;
    chunks_.splice(chunks_.begin(), chunks_, found->second);
    return chunks_.front().second;
  }

  void Insert(Key key, ChunkBytes bytes) {
    absl::MutexLock lock(&mutex_);
    if (by_key_.contains(key)) return;  // another reader was faster
    used_ += CostOf(*bytes);
    chunks_.emplace_front(key, std::move(bytes));
    by_key_.emplace(key, chunks_.begin());
    while (used_ > room_ && chunks_.size() > 1) DropOldest();
  }

 private:
  // A chunk of one byte takes more than that.
  static constexpr uint64_t kEntryBytes = 192;

  static uint64_t CostOf(const std::vector<uint8_t>& bytes) { return bytes.size() + kEntryBytes; }

  void DropOldest() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    used_ -= CostOf(*chunks_.back().second);
    by_key_.erase(chunks_.back().first);
    chunks_.pop_back();
  }

  using Chunks = std::list<std::pair<Key, ChunkBytes>>;

  const uint64_t room_;
  absl::Mutex mutex_;
  Chunks chunks_ ABSL_GUARDED_BY(mutex_);  // the one read last at the front
  absl::flat_hash_map<Key, Chunks::iterator> by_key_ ABSL_GUARDED_BY(mutex_);
  uint64_t used_ ABSL_GUARDED_BY(mutex_) = 0;
};

// A region in packs. Thread-safe.
class StoredRegion final : public ByteSource {
 public:
  StoredRegion(uint64_t size, std::vector<StoredChunk> chunks, PackStore* store,
               std::shared_ptr<ChunkCache> cache)
      : size_(size), chunks_(std::move(chunks)), store_(store), cache_(std::move(cache)) {}

  uint64_t size() const override { return size_; }

  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override {
    RETURN_IF_ERROR(CheckRange(offset, out.size(), size_));
    while (!out.empty()) {
      ASSIGN_OR_RETURN(const ChunkBytes chunk, Load(chunks_[offset / kChunkBytes]));
      const size_t from = offset % kChunkBytes;
      const size_t size = std::min(out.size(), chunk->size() - from);
      std::copy_n(chunk->begin() + from, size, out.begin());
      offset += size;
      out.remove_prefix(size);
    }
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<ChunkBytes> Load(const StoredChunk& chunk) const {
    const ChunkCache::Key key(chunk.entry.region, chunk.entry.chunk);
    if (ChunkBytes cached = cache_->Find(key)) return cached;
    std::vector<uint8_t> stored(chunk.entry.stored_size);
    RETURN_IF_ERROR(Fetch(chunk, absl::MakeSpan(stored)));
    ASSIGN_OR_RETURN(std::vector<uint8_t> raw,
                     DecodeChunk(chunk.entry.encoding, stored, chunk.entry.raw_size, chunk.entry.digest));
    auto bytes = std::make_shared<const std::vector<uint8_t>>(std::move(raw));
    cache_->Insert(key, bytes);
    return bytes;
  }

  // A ByteSource knows no NOT_FOUND: what the index promises and the store does not have is lost.
  absl::Status Fetch(const StoredChunk& chunk, absl::Span<uint8_t> out) const {
    absl::Status status = store_->Read(chunk.ref, chunk.entry.offset, out);
    if (absl::IsNotFound(status) || absl::IsOutOfRange(status)) return absl::DataLossError(status.message());
    return status;
  }

  const uint64_t size_;
  const std::vector<StoredChunk> chunks_;
  PackStore* const store_;
  const std::shared_ptr<ChunkCache> cache_;
};

// The chunks of each region in order, the first of equals kept. Bounded by what the packs have, not by what
// the manifest says.
absl::StatusOr<std::vector<std::vector<StoredChunk>>> SortByRegion(const Manifest& manifest,
                                                                   const std::vector<StoredPack>& packs) {
  std::vector<std::vector<StoredChunk>> regions(manifest.regions.size());
  for (const StoredPack& pack : packs) {
    for (const PackEntry& entry : pack.entries) {
      if (entry.region >= regions.size()) {
        return absl::DataLossError(
            absl::StrCat("a pack has a chunk of region ", entry.region, " of ", regions.size()));
      }
      regions[entry.region].push_back({pack.ref, entry});
    }
  }
  for (std::vector<StoredChunk>& chunks : regions) {
    std::stable_sort(chunks.begin(), chunks.end(), [](const StoredChunk& a, const StoredChunk& b) {
      return a.entry.chunk < b.entry.chunk;
    });
    chunks.erase(std::unique(chunks.begin(), chunks.end(),
                             [](const StoredChunk& a, const StoredChunk& b) {
                               return a.entry.chunk == b.entry.chunk;
                             }),
                 chunks.end());
  }
  return regions;
}

absl::Status CheckChunks(uint64_t size, const std::vector<StoredChunk>& chunks, size_t region) {
  for (const StoredChunk& chunk : chunks) {
    const uint64_t index = chunk.entry.chunk;
    if (index < ChunkCount(size) && chunk.entry.raw_size == ChunkSize(size, index)) continue;
    return absl::DataLossError(absl::StrCat("a pack has chunk ", index, " of region ", region, " with ",
                                            chunk.entry.raw_size, " bytes; the region has ", size));
  }
  return absl::OkStatus();
}

uint64_t BytesIn(const std::vector<StoredChunk>& chunks) {
  uint64_t bytes = 0;
  for (const StoredChunk& chunk : chunks) bytes += chunk.entry.raw_size;
  return bytes;
}

// Takes off the chunks behind the first gap.
void CutAtGap(std::vector<StoredChunk>* chunks) {
  size_t n = 0;
  while (n < chunks->size() && (*chunks)[n].entry.chunk == n) ++n;
  chunks->erase(chunks->begin() + static_cast<ptrdiff_t>(n), chunks->end());
}

}  // namespace

absl::StatusOr<StoredRegions> OpenStoredRegions(const CrashContents& contents, PackStore* store,
                                                uint64_t cache_bytes) {
  const Manifest& manifest = contents.manifest;
  ASSIGN_OR_RETURN(std::vector<std::vector<StoredChunk>> chunks, SortByRegion(manifest, contents.packs));
  const auto cache = std::make_shared<ChunkCache>(cache_bytes);
  StoredRegions regions;
  uint64_t here = 0;
  for (uint32_t i = 0; i < manifest.regions.size(); ++i) {
    const ManifestRegion& region = manifest.regions[i];
    RETURN_IF_ERROR(CheckChunks(region.size, chunks[i], i));
    const uint64_t stored = BytesIn(chunks[i]);
    here += stored;
    CutAtGap(&chunks[i]);
    const uint64_t shown = BytesIn(chunks[i]);
    if (shown < region.size) {
      regions.unsent.push_back(
          {.region = i, .size = region.size, .shown = shown, .behind_gap = stored - shown});
    }
    std::shared_ptr<const ByteSource> bytes;
    if (shown > 0 || region.size == 0) {
      bytes = std::make_shared<StoredRegion>(shown, std::move(chunks[i]), store, cache);
    }
    regions.set.regions.push_back({.kind = region.kind,
                                   .file_name = region.file_name,
                                   .name = region.name,
                                   .id = region.id,
                                   .paddr = region.paddr,
                                   .table_size = region.table_size,
                                   .bytes = std::move(bytes)});
  }
  if (here < contents.here_bytes) {
    return absl::DataLossError(
        absl::StrCat("the packs hold ", here, " bytes of the crash, and it had ", contents.here_bytes));
  }
  return regions;
}

}  // namespace corefleet

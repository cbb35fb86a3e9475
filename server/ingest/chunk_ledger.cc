#include "server/ingest/chunk_ledger.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/bytes/escape.h"
#include "server/admission/wanted_regions.h"

namespace corefleet {

void AppendChunk(std::vector<ChunkRange>* ranges, uint32_t region, uint64_t chunk) {
  if (!ranges->empty()) {
    ChunkRange& last = ranges->back();
    if (last.region == region && last.first + last.count == chunk) {
      ++last.count;
      return;
    }
  }
  ranges->push_back({.region = region, .first = chunk, .count = 1});
}

ChunkLedger::ChunkLedger(const std::vector<StoredPack>& packs) {
  for (const StoredPack& pack : packs) {
    for (const PackEntry& entry : pack.entries) Add(entry.region, entry.chunk, entry.digest);
  }
}

void ChunkLedger::Add(uint32_t region, uint64_t chunk, const Sha256Digest& digest) {
  regions_[region].try_emplace(chunk, digest);
}

void ChunkLedger::Remove(uint32_t region, uint64_t chunk) {
  const auto found = regions_.find(region);
  if (found != regions_.end()) found->second.erase(chunk);
}

const Sha256Digest* ChunkLedger::Find(uint32_t region, uint64_t chunk) const {
  const auto chunks = regions_.find(region);
  if (chunks == regions_.end()) return nullptr;
  const auto digest = chunks->second.find(chunk);
  return digest == chunks->second.end() ? nullptr : &digest->second;
}

std::vector<ChunkRange> ChunkLedger::Missing(const Manifest& manifest) const {
  std::vector<ChunkRange> missing;
  for (uint32_t region = 0; region < manifest.regions.size(); ++region) {
    const uint64_t end = ChunkCount(manifest.regions[region].size);
    uint64_t next = 0;  // everything before it is there or noted
    if (const auto chunks = regions_.find(region); chunks != regions_.end()) {
      for (const auto& [chunk, digest] : chunks->second) {
        if (chunk >= end) break;
        if (chunk > next) missing.push_back({.region = region, .first = next, .count = chunk - next});
        next = chunk + 1;
      }
    }
    if (next < end) missing.push_back({.region = region, .first = next, .count = end - next});
  }
  return missing;
}

absl::Status ChunkLedger::CheckRoots(const Manifest& manifest) const {
  for (uint32_t region = 0; region < manifest.regions.size(); ++region) {
    RegionRoot root;
    uint64_t there = 0;
    if (const auto chunks = regions_.find(region); chunks != regions_.end()) {
      for (const auto& [chunk, digest] : chunks->second) root.AddChunk(digest);
      there = chunks->second.size();
    }
    if (there < ChunkCount(manifest.regions[region].size)) continue;
    if (root.Finish() == manifest.regions[region].root) continue;
    return absl::DataLossError(absl::StrCat("region ", region, " (",
                                            EscapeForTerminal(manifest.regions[region].file_name),
                                            "): the bytes received do not make the announced root"));
  }
  return absl::OkStatus();
}

std::vector<ChunkRange> MissingOf(const ChunkLedger& ledger, const Manifest& manifest, SessionWant want) {
  const std::vector<bool> wanted = WantedRegions(manifest, want);
  std::vector<ChunkRange> missing = ledger.Missing(manifest);
  std::erase_if(missing, [&](const ChunkRange& range) { return !wanted[range.region]; });
  return missing;
}

// Bytes of the chunks in `ranges`, which are ranges of `manifest`.
uint64_t BytesIn(const std::vector<ChunkRange>& ranges, const Manifest& manifest) {
  uint64_t bytes = 0;
  for (const ChunkRange& range : ranges) {
    const uint64_t begin = range.first * kChunkBytes;
    const uint64_t end = (range.first + range.count) * kChunkBytes;
    bytes += std::min(end, manifest.regions[range.region].size) - begin;
  }
  return bytes;
}

CrashBytes BytesOfCrash(const Manifest& manifest, const ChunkLedger& ledger) {
  CrashBytes bytes{.raw = RawBytes(manifest)};
  bytes.here = bytes.raw - BytesIn(ledger.Missing(manifest), manifest);
  return bytes;
}

}  // namespace corefleet

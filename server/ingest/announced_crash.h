#ifndef COREFLEET_SERVER_INGEST_ANNOUNCED_CRASH_H_
#define COREFLEET_SERVER_INGEST_ANNOUNCED_CRASH_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/digest/digest.h"
#include "core/manifest/manifest.h"
#include "server/ingest/session_writer.h"

namespace corefleet {

// For tests: a crash made of plain strings, as a device announces and sends it.
class AnnouncedCrash {
 public:
  // One region a string, named "r0", "r1", ...
  explicit AnnouncedCrash(std::vector<std::string> regions) : regions_(std::move(regions)) {
    for (size_t i = 0; i < regions_.size(); ++i) {
      const std::string name = "r" + std::to_string(i);
      ManifestRegion region{.file_name = "md_" + name + ".BIN", .name = name, .size = regions_[i].size()};
      RegionRoot root;
      for (uint64_t c = 0; c < ChunkCount(region.size); ++c) root.AddChunk(Sha256Of(BytesOf(RawChunk(i, c))));
      region.root = root.Finish();
      manifest.regions.push_back(std::move(region));
    }
  }

  // Bytes that compress badly and differ with `seed`.
  static std::string Noise(size_t size, uint32_t seed) {
    std::string bytes(size, '\0');
    uint32_t state = seed * 2654435761u + 1;
    for (char& byte : bytes) {
      state = state * 1664525u + 1013904223u;
      byte = static_cast<char>(state >> 24);
    }
    return bytes;
  }

  std::string RawChunk(uint32_t region, uint64_t chunk) const {
    return regions_.at(region).substr(chunk * kChunkBytes, kChunkBytes);
  }
  const std::vector<std::string>& regions() const { return regions_; }

  Manifest manifest;

 private:
  std::vector<std::string> regions_;
};

// A chunk and the bytes that it points to.
struct OwnedChunk {
  explicit OwnedChunk(const AnnouncedCrash& crash, uint32_t region, uint64_t chunk)
      : payload(crash.RawChunk(region, chunk)), digest(Sha256Of(BytesOf(payload))) {
    header.region = region;
    header.chunk = chunk;
    header.raw_size = payload.size();
    header.crc32c = Crc32c(BytesOf(payload));
  }
  // The chunk with a copy of its bytes; valid while this lives.
  ReceivedChunk view() const {
    ReceivedChunk chunk = header;
    chunk.sha256 = digest;
    chunk.payload = payload;
    return chunk;
  }
  void Recheck() { header.crc32c = Crc32c(BytesOf(payload)); }

  std::string payload;
  Sha256Digest digest;
  ReceivedChunk header;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_INGEST_ANNOUNCED_CRASH_H_

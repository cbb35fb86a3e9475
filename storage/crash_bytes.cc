#include "storage/crash_bytes.h"

#include <algorithm>
#include <tuple>

namespace corefleet {

CrashBytes SizeOf(const Manifest& manifest, const std::vector<StoredPack>& packs) {
  CrashBytes bytes{.raw = RawBytes(manifest)};
  using Key = std::tuple<uint32_t, uint64_t, uint32_t>;  // region, chunk, raw size
  std::vector<Key> chunks;
  for (const StoredPack& pack : packs) {
    bytes.stored += pack.ref.size;
    for (const PackEntry& entry : pack.entries)
      chunks.emplace_back(entry.region, entry.chunk, entry.raw_size);
  }
  std::sort(chunks.begin(), chunks.end());
  const Key* last = nullptr;
  for (const Key& chunk : chunks) {
    const bool again = last != nullptr && std::get<0>(*last) == std::get<0>(chunk) &&
                       std::get<1>(*last) == std::get<1>(chunk);
    if (!again) bytes.here += std::get<2>(chunk);
    last = &chunk;
  }
  return bytes;
}

}  // namespace corefleet

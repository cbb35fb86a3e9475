#include "server/reconcile/pack_check.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "core/digest/chunk.h"

namespace corefleet {
namespace {

// No pack is longer (docs/formats/segment.md); what the index says is not believed.
constexpr uint64_t kMaxPackBytes = uint64_t{64} << 20;

}  // namespace

absl::StatusOr<CheckedPack> ReadCheckedPack(const PackRef& ref, PackStore* store) {
  if (ref.size > kMaxPackBytes) return absl::DataLossError(absl::StrCat("a pack of ", ref.size, " bytes"));
  CheckedPack pack;
  pack.bytes.resize(ref.size);
  RETURN_IF_ERROR(store->Read(ref, 0, absl::MakeSpan(pack.bytes)));
  ASSIGN_OR_RETURN(pack.index, ReadPackIndex(pack.bytes));
  for (const PackEntry& entry : pack.index.entries) {
    const ByteView stored = ByteView(pack.bytes).subspan(entry.offset, entry.stored_size);
    RETURN_IF_ERROR(DecodeChunk(entry.encoding, stored, entry.raw_size, entry.digest).status());
  }
  return pack;
}

bool Fits(const std::vector<PackEntry>& entries, const Manifest& manifest) {
  return std::all_of(entries.begin(), entries.end(), [&manifest](const PackEntry& entry) {
    if (entry.region >= manifest.regions.size()) return false;
    const uint64_t size = manifest.regions[entry.region].size;
    return entry.chunk < ChunkCount(size) && entry.raw_size == ChunkSize(size, entry.chunk);
  });
}

PackStanding StandingOf(const std::vector<PackEntry>& entries, const std::vector<StoredPack>& packs) {
  std::map<std::pair<uint32_t, uint64_t>, const Sha256Digest*> known;
  for (const StoredPack& pack : packs) {
    for (const PackEntry& entry : pack.entries) known.try_emplace({entry.region, entry.chunk}, &entry.digest);
  }
  PackStanding standing = PackStanding::kKnown;
  for (const PackEntry& entry : entries) {
    const auto it = known.find({entry.region, entry.chunk});
    if (it == known.end()) {
      standing = PackStanding::kNews;
    } else if (*it->second != entry.digest) {
      return PackStanding::kConflict;
    }
  }
  return standing;
}

}  // namespace corefleet

#include "tests/bench/facts/stored_crash.h"

#include <utility>
#include <vector>

#include "core/digest/chunk.h"
#include "core/digest/digest.h"
#include "storage/crash_bytes.h"
#include "storage/pack.h"

namespace corefleet {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'790'000'000);

ManifestRegion AddChunks(const Region& region, uint32_t index, PackBuilder* builder) {
  const uint64_t size = region.bytes->size();
  RegionRoot root;
  for (uint64_t c = 0; c < ChunkCount(size); ++c) {
    const std::vector<uint8_t> raw = *ReadBytes(*region.bytes, c * kChunkBytes, ChunkSize(size, c));
    const Sha256Digest digest = Sha256Of(ByteView(raw));
    root.AddChunk(digest);
    EncodedChunk encoded = EncodeChunk(raw);
    builder->Add({.region = index,
                  .chunk = c,
                  .encoding = encoded.encoding,
                  .raw_size = static_cast<uint32_t>(raw.size()),
                  .digest = digest},
                 std::move(encoded.bytes));
  }
  return {.kind = region.kind,
          .file_name = region.file_name,
          .name = region.name,
          .id = region.id,
          .paddr = region.paddr,
          .table_size = region.table_size,
          .size = size,
          .root = root.Finish()};
}

}  // namespace

StoredInMemory::StoredInMemory(const RegionSet& received) {
  Manifest manifest;
  PackBuilder builder;
  for (uint32_t i = 0; i < received.regions.size(); ++i) {
    manifest.regions.push_back(AddChunks(received.regions[i], i, &builder));
    raw_bytes_ += received.regions[i].bytes->size();
  }
  const SessionId session("s");
  const Pack pack = builder.Build(session.value());
  (void)index_.BeginSession(DeviceId("d"), manifest, "", SessionTerms(), session, kNow, kNow).value();
  index_.AddPack(session, {store_.Put(BytesOf(pack.bytes)).value(), pack.entries}).IgnoreError();
  const SessionWithPacks found = index_.GetSessionWithPacks(session).value();
  id_ = index_.FinishSession(session, CrashId::Make(kNow, {1}), SizeOf(found.session.manifest, found.packs))
            .value();
  contents_ = index_.Contents(id_).value();
}

std::shared_ptr<const OpenedCrash> StoredInMemory::Open() {
  return OpenedCrash::Open(id_, &index_, &store_, nullptr, kWholeReadCacheBytes).value();
}

bool StoredInMemory::DecodeAllChunks() {
  for (const StoredPack& pack : contents_.packs) {
    for (const PackEntry& entry : pack.entries) {
      std::vector<uint8_t> stored(entry.stored_size);
      if (!store_.Read(pack.ref, entry.offset, absl::MakeSpan(stored)).ok()) return false;
      if (!DecodeChunk(entry.encoding, stored, entry.raw_size, entry.digest).ok()) return false;
    }
  }
  return true;
}

}  // namespace corefleet

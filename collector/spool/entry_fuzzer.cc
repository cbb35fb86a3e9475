// An entry may come from a stick that anybody wrote.
#include <algorithm>

#include "collector/spool/entry_file.h"
#include "collector/spool/faulty_spool_folder.h"
#include "collector/spool/loss_ledger.h"
#include "collector/spool/spool.h"
#include "tests/support/fuzz_target.h"

namespace corefleet {
namespace {

class FuzzBytes final : public SpoolBytes {
 public:
  FuzzBytes(const uint8_t* data, size_t size) : bytes_(data, size) {}
  uint64_t size() const override { return bytes_.size(); }
  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override {
    // What would never be in a file of this size is never asked for in one piece.
    FUZZ_CHECK(out.size() <= std::max<size_t>(bytes_.size(), 64 << 10));
    if (offset > bytes_.size() || out.size() > bytes_.size() - offset) return absl::DataLossError("ends");
    std::copy_n(bytes_.begin() + static_cast<ptrdiff_t>(offset), out.size(), out.begin());
    return absl::OkStatus();
  }

 private:
  const ByteView bytes_;
};

Region RegionOf(size_t size) {
  Region region;
  region.file_name = "md_KLOG.BIN";
  region.id = 7;
  region.bytes = std::make_shared<MemorySource>(std::vector<uint8_t>(size, 'x'));
  return region;
}

std::string EntryOf(const RegionSet& set, bool with_state) {
  FaultyDisk disk;
  FakeBootClock clock;
  auto spool = *Spool::Open(disk.Open(), {}, {.clock = &clock, .boot_id = "b"});
  const SpoolId id = spool->Put(set, SpoolTags{.device = DeviceId("edge-1"), .note = "note"})->id;
  if (with_state) spool->KeepRest(id, absl::Hours(1)).IgnoreError();
  const std::vector<uint8_t>& bytes = *disk.Bytes("0000000000000001.crash");
  return std::string(bytes.begin(), bytes.end());
}

void ReadThrough(SpooledCrash* crash) {
  const std::vector<ManifestRegion>& regions = crash->manifest().regions;
  FUZZ_CHECK(regions.size() <= kMaxRegions);
  for (uint32_t region = 0; region < regions.size(); ++region) {
    const uint64_t chunks = ChunkCount(regions[region].size);
    for (const uint64_t chunk : {uint64_t{0}, chunks / 2, chunks - 1}) {
      const auto read = crash->Read(region, chunk);
      if (!read.ok()) continue;
      FUZZ_CHECK(chunk < chunks && read->raw_size == ChunkSize(regions[region].size, chunk));
      FUZZ_CHECK(read->encoded.bytes.size() <= kChunkBytes);
      FUZZ_CHECK(Sha256Of(ByteView(*crash->ReadRaw(region, chunk))) == read->sha256);
    }
  }
}

}  // namespace

std::vector<std::string> FuzzSeeds() {
  const RegionSet set{.regions = {RegionOf(300), RegionOf(0), RegionOf(150000)}};
  LedgerPage page{.generation = 1, .boot_id = "b"};
  page.accounts.push_back({.epoch = std::string(32, 'a')});
  return {EntryOf(set, false), EntryOf(set, true), EncodePage(page)};
}

}  // namespace corefleet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace corefleet;
  const ByteView bytes(data, size);
  if (const auto page = DecodePage(bytes); page.ok()) FUZZ_CHECK(DecodePage(BytesOf(EncodePage(*page))).ok());
  EntryState state;
  uint64_t used = 0;
  if (DecodeLastState(bytes, &state, &used)) FUZZ_CHECK(used <= size);
  if (const auto footer = DecodeFooter(bytes); footer.ok()) {
    FUZZ_CHECK(footer->tags.note.size() <= 1024 && footer->tags.clues.panic.size() <= 256);
  }
  auto file = std::make_unique<FuzzBytes>(data, size);
  auto entry = ParseEntry(*file);
  if (!entry.ok()) {
    FUZZ_CHECK(absl::IsDataLoss(entry.status()));
    return 0;
  }
  FUZZ_CHECK(entry->state_end <= size && entry->footer_end <= entry->state_end);
  SpooledCrash crash(std::move(file), *std::move(entry), nullptr);
  ReadThrough(&crash);
  return 0;
}

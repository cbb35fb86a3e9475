#include "core/minidump/address_table.h"
#include "core/minidump/raw_dump.h"
#include "core/minidump/raw_dump_writer.h"
#include "tests/support/fuzz_target.h"

namespace corefleet {
namespace {

std::vector<uint8_t> Script() {
  const absl::string_view text =
      "d.load.binary OCIMEM.BIN 0x14680000\nd.load.binary md_Kprb22.BIN 0x41a38618\n";
  return std::vector<uint8_t>(text.begin(), text.end());
}

std::string Seed(const RawDumpStorage& storage) {
  const std::vector<uint8_t> bytes =
      WriteRawDump({{"md_KELF1.BIN", std::vector<uint8_t>(100, 1), 0x19c0000},
                    {"md_Kprb22.BIN", std::vector<uint8_t>(8, 2), 0x41a38618},
                    {"OCIMEM.BIN", std::vector<uint8_t>(64, 3), 0x14680000},
                    {"load.cmm", Script(), 0, RawSectionType::kVendorSpecific},
                    {"CPU_CTX.BIN", std::vector<uint8_t>(50, 4), 0, RawSectionType::kCpuContext}},
                   storage);
  return std::string(bytes.begin(), bytes.end());
}

struct Taken {
  uint64_t bytes = 0;
  std::string text;  // everything that can be seen of the pieces
};

Taken TakeApart(const Artifact& file) {
  Pieces pieces;
  UnpackRawDumps({file}, nullptr, &pieces);
  FUZZ_CHECK(pieces.regions.size() + pieces.artifacts.size() <= kMaxRegions);
  FUZZ_CHECK(pieces.defects.size() <= 10);
  Taken taken;
  auto add = [&](const std::string& name, const ByteSource& bytes) {
    taken.bytes += bytes.size();
    const auto all = ReadBytes(bytes, 0, bytes.size());
    FUZZ_CHECK(all.ok());
    taken.text += name + ":" + std::string(all->begin(), all->end()) + "\n";
  };
  for (const Region& region : pieces.regions) {
    FUZZ_CHECK(!region.file_name.empty() && region.container == file.received);
    FUZZ_CHECK(!region.table_size || region.bytes->size() <= *region.table_size);
    FUZZ_CHECK(!region.paddr || *region.paddr <= kMaxPhysicalAddress - region.table_size.value_or(0));
    taken.text += std::to_string(region.paddr.value_or(1));
    add(region.file_name, *region.bytes);
  }
  for (const Artifact& artifact : pieces.artifacts) {
    FUZZ_CHECK(artifact.head.size() == std::min<uint64_t>(artifact.bytes->size(), kArtifactHeadBytes));
    add(artifact.file_name, *artifact.bytes);
  }
  for (const Defect& defect : pieces.defects) taken.text += defect.detail + "\n";
  return taken;
}

}  // namespace

std::vector<std::string> FuzzSeeds() {
  return {Seed({}), Seed({.mark = RawDumpMark::kZeroed}), Seed({.mark = RawDumpMark::kCopyDone}),
          Seed({.room = 56 + 5 * 64 + 120})};
}

}  // namespace corefleet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace corefleet;
  std::vector<uint8_t> bytes(data, data + size);
  Artifact file{.received = 5, .file_name = "rawdump", .bytes = std::make_shared<MemorySource>(bytes)};
  file.head.assign(bytes.begin(), bytes.begin() + std::min(size, kArtifactHeadBytes));

  const bool looks = LooksLikeRawDump(file.head);
  const auto extent = MeasureRawDump(file.head);
  FUZZ_CHECK(looks || absl::IsNotFound(extent.status()));
  FUZZ_CHECK(!looks || extent.ok() || size < 56);
  FUZZ_CHECK(!extent.ok() || extent->bytes >= 56);

  // Whoever asks for it gets it taken apart, whatever it looks like. No byte is given out twice.
  const Taken taken = TakeApart(file);
  FUZZ_CHECK(taken.bytes <= size);
  FUZZ_CHECK(TakeApart(file).text == taken.text);

  NormaliseRawDumpMark(absl::MakeSpan(bytes));
  FUZZ_CHECK(std::equal(bytes.begin() + std::min(size, kRawDumpMarkBytes), bytes.end(),
                        data + std::min(size, kRawDumpMarkBytes)));
  const auto again = MeasureRawDump(absl::MakeConstSpan(bytes).subspan(0, kArtifactHeadBytes));
  FUZZ_CHECK(again.ok() == extent.ok());
  FUZZ_CHECK(!extent.ok() || (again->bytes == extent->bytes && !again->consumed));
  return 0;
}

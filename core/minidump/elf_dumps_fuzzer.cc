// A co-processor's dump and a vendor's header region, as bytes.
#include <cstdint>
#include <string>
#include <vector>

#include "core/minidump/coprocessor.h"
#include "core/minidump/coprocessor_writer.h"
#include "core/minidump/vendor_header.h"
#include "core/minidump/vendor_header_writer.h"
#include "tests/support/fuzz_target.h"

namespace corefleet {
namespace {

std::string TextOfBytes(const std::vector<uint8_t>& bytes) { return std::string(bytes.begin(), bytes.end()); }

void ReadCoprocessor(const std::shared_ptr<const ByteSource>& file, const std::vector<uint8_t>& bytes) {
  Artifact artifact{.received = 3, .file_name = "dump", .bytes = file, .head = bytes};
  Pieces pieces;
  UnpackCoprocessorDumps({artifact}, nullptr, &pieces);
  FUZZ_CHECK(pieces.regions.size() <= 2048);
  FUZZ_CHECK(!pieces.regions.empty() || !pieces.defects.empty());
  for (const Region& region : pieces.regions) {
    // Never memory of the Linux machine.
    FUZZ_CHECK(region.kind == RegionKind::kArtifact && region.container == 3u);
    FUZZ_CHECK(region.table_size && region.paddr && region.bytes->size() <= *region.table_size);
    FUZZ_CHECK(*region.table_size - 1 <= UINT64_MAX - *region.paddr);
    FUZZ_CHECK(ReadBytes(*region.bytes, 0, region.bytes->size()).ok());
  }
}

void ReadVendor(const ByteSource& file) {
  const std::optional<VendorHeader> header = ReadVendorHeader(file);
  if (!header) return;
  FUZZ_CHECK(header->regions.size() <= 2048);
  std::vector<VendorFile> files;
  for (const VendorRegion& region : header->regions)
    files.push_back({VendorFileKey(region.name), region.size});
  std::vector<bool> taken(header->regions.size());
  for (const std::optional<size_t>& match : MatchVendorFiles(files, header->regions)) {
    FUZZ_CHECK(!match || *match < taken.size());
  }
}

}  // namespace

std::vector<std::string> FuzzSeeds() {
  std::vector<std::string> seeds;
  for (int shape = 0; shape < 8; ++shape) {
    CoprocessorPlan plan;
    plan.is_64 = (shape & 1) != 0;
    plan.endian = (shape & 2) != 0 ? Endian::kBig : Endian::kLittle;
    plan.with_sections = (shape & 4) != 0;
    plan.parts = {{"LOG", 0x8b800000, std::vector<uint8_t>(32, 1)},
                  {"HEAP", 0x8b900000, std::vector<uint8_t>(64, 2)}};
    seeds.push_back(TextOfBytes(WriteCoprocessorDump(plan)));
  }
  VendorMinidumpPlan plan;
  plan.parts = {{"KLOGBUF", 0xffffff8001000000, 0x1000000, std::vector<uint8_t>(64, 1)},
                {"KISTK", 0xffffff8002000000, 0x2000000, std::vector<uint8_t>(64, 2)},
                {"KISTK", 0xffffff8003000000, 0x3000000, std::vector<uint8_t>(64, 3)}};
  seeds.push_back(TextOfBytes(WriteVendorHeader(plan)));
  return seeds;
}

}  // namespace corefleet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<uint8_t> bytes(data, data + size);
  const auto file = std::make_shared<corefleet::MemorySource>(bytes);
  if (corefleet::LooksLikeCoprocessorDump(bytes)) corefleet::ReadCoprocessor(file, bytes);
  corefleet::ReadVendor(*file);
  return 0;
}

#include "core/minidump/address_table.h"
#include "core/minidump/qaic.h"
#include "core/minidump/qaic_writer.h"
#include "tests/support/fuzz_target.h"

namespace corefleet {

std::vector<std::string> FuzzSeeds() {
  std::vector<std::string> seeds;
  for (const Endian endian : {Endian::kLittle, Endian::kBig}) {
    const std::vector<uint8_t> bytes =
        WriteQaic({{"md_KELF1.BIN", "md_KELF1", 0x19c0000, std::vector<uint8_t>(100, 1)},
                   {"CODERAM.BIN", "code RAM", 0x200000, std::vector<uint8_t>(64, 2)},
                   {"load.cmm", "script", 0, std::vector<uint8_t>(20, ';')}},
                  endian);
    seeds.emplace_back(bytes.begin(), bytes.end());
  }
  return seeds;
}

}  // namespace corefleet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace corefleet;
  const std::vector<uint8_t> bytes(data, data + size);
  LooksLikeQaic(bytes, size);
  const Artifact file{.received = 5, .file_name = "devcd", .bytes = std::make_shared<MemorySource>(bytes)};
  Pieces pieces;
  UnpackQaic({file}, nullptr, &pieces);
  FUZZ_CHECK(pieces.regions.size() + pieces.artifacts.size() <= kMaxRegions);
  FUZZ_CHECK(pieces.defects.size() <= 4);
  // No byte is given out twice.
  uint64_t total = 0;
  for (const Region& region : pieces.regions) {
    FUZZ_CHECK(ReadBytes(*region.bytes, 0, region.bytes->size()).ok());
    FUZZ_CHECK(!region.table_size || region.bytes->size() <= *region.table_size);
    FUZZ_CHECK(!region.paddr || *region.paddr <= kMaxPhysicalAddress - region.table_size.value_or(0));
    total += region.bytes->size();
  }
  for (const Artifact& artifact : pieces.artifacts) total += artifact.bytes->size();
  FUZZ_CHECK(total <= size);
  return 0;
}

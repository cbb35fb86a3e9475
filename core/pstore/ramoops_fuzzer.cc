#include <memory>
#include <string>

#include "core/pstore/ramoops.h"
#include "core/pstore/ramoops_writer.h"
#include "core/pstore/ramoops_zone.h"
#include "core/pstore/reed_solomon.h"
#include "tests/support/fuzz_target.h"

namespace corefleet {

std::vector<std::string> FuzzSeeds() {
  std::string text = "Panic#1 Part1\n";
  for (int i = 0; i < 20; ++i) text += "<6>[    0.00000" + std::to_string(i % 10) + "] line of a log\n";
  std::vector<std::string> seeds;
  for (const size_t parity : {0u, 16u}) {
    for (const RecordCodec codec : {RecordCodec::kPlain, RecordCodec::kDeflate, RecordCodec::kLz4}) {
      seeds.push_back(WriteRamoops({{.size = 4096, .content = RamoopsDumpContent(1700000000, 5, text, codec)},
                                    {.size = 4096, .content = "[    0.000000] " + std::string(6000, 'x')},
                                    {.size = 4096, .value = 0x060c00, .content = std::string(480, 'y')}},
                                   parity));
    }
  }
  return seeds;
}

}  // namespace corefleet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace corefleet;
  const ByteView bytes(data, size);
  LooksLikeRamoops(bytes);
  Pieces pieces;
  UnpackRamoops({{.file_name = "area", .bytes = std::make_shared<MemorySource>(TextOf(bytes))}}, nullptr,
                &pieces);
  FUZZ_CHECK(pieces.texts.size() <= size / kRamoopsZoneAlignment + 1);
  FUZZ_CHECK(pieces.regions.empty() && pieces.artifacts.empty());
  if (const auto zone = ReadRamoopsZone(bytes)) {
    FUZZ_CHECK(zone->content.size() + kRamoopsHeaderBytes <= size);
    FUZZ_CHECK(zone->parity != 0 || zone->corrected_bytes == 0);
  }
  // What is encoded and then damaged within bounds comes back.
  if (size < 40 || size > 200) return 0;
  const ReedSolomon code(16);
  std::vector<uint8_t> block(data + 8, data + size);
  const std::vector<uint8_t> parity = code.Encode(block);
  const std::vector<uint8_t> before = block;
  for (size_t i = 0; i < 8; ++i) block[i * (block.size() / 8)] ^= data[i];
  FUZZ_CHECK(code.Correct(absl::MakeSpan(block), parity).has_value());
  FUZZ_CHECK(block == before);
  return 0;
}

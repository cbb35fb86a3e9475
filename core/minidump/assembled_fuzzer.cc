// An assembled core with stretches cut out, put in and overwritten: the input is a list of such edits, so
// that small inputs reach deep.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "core/minidump/assembled.h"
#include "tests/support/fuzz_target.h"
#include "tests/support/region_set_builder.h"

namespace corefleet {
namespace {

struct Edit {
  uint8_t operation;
  uint8_t fill;
  uint16_t length;
  uint32_t offset;
};
static_assert(sizeof(Edit) == 8);
constexpr size_t kMaxEdits = 32;

std::vector<uint8_t> Whole(MeminspectSeries series) {
  RegionSetBuilder plan(series);
  for (int i = 0; i < 4; ++i) plan.Dynamic(3264);
  std::vector<uint8_t> file;
  for (const Region& region : plan.Build().regions) {
    const auto bytes = ReadBytes(*region.bytes, 0, region.bytes->size());
    file.insert(file.end(), bytes->begin(), bytes->end());
  }
  return file;
}

void Apply(const Edit& edit, std::vector<uint8_t>* file) {
  if (file->empty()) return;
  const size_t at = edit.offset % file->size();
  const size_t length = std::min<size_t>(edit.length, file->size() - at);
  switch (edit.operation % 3) {
    case 0:
      file->erase(file->begin() + at, file->begin() + at + length);
      return;
    case 1:
      file->insert(file->begin() + at, edit.length, edit.fill);
      return;
    case 2:
      std::fill_n(file->begin() + at, std::min<size_t>(length, 64), edit.fill);
      return;
  }
}

void TakeApart(const std::vector<uint8_t>& bytes) {
  std::vector<uint8_t> head(bytes.begin(), bytes.begin() + std::min(bytes.size(), kArtifactHeadBytes));
  if (!LooksLikeAssembled(head)) return;
  const auto file = std::make_shared<MemorySource>(bytes);
  Artifact artifact{.received = 1, .file_name = "minidump.elf", .bytes = file, .head = head};
  Pieces pieces;
  UnpackAssembled({artifact}, nullptr, &pieces);
  FUZZ_CHECK(!pieces.regions.empty());
  FUZZ_CHECK(pieces.regions.size() <= kMaxRegions);
  FUZZ_CHECK(pieces.defects.size() <= 2 * kMaxRegions);
  uint64_t placed = 0;
  for (const Region& region : pieces.regions) {
    FUZZ_CHECK(region.kind == RegionKind::kMemory && region.container == 1u);
    FUZZ_CHECK(!region.table_size || region.bytes->size() <= *region.table_size);
    FUZZ_CHECK(ReadBytes(*region.bytes, 0, region.bytes->size()).ok());
    placed += region.bytes->size();
  }
  // No byte of the file is two regions'.
  FUZZ_CHECK(placed <= bytes.size());
}

}  // namespace

std::vector<std::string> FuzzSeeds() {
  auto seed = [](std::vector<Edit> edits) {
    std::string text(1, '\0');
    text.append(reinterpret_cast<const char*>(edits.data()), edits.size() * sizeof(Edit));
    return text;
  };
  return {seed({}), seed({{0, 0, 8, 17000}}), seed({{0, 0, 3264, 40000}, {1, 7, 100, 20000}}),
          seed({{2, 0xff, 64, 64}, {0, 0, 9000, 30000}})};
}

}  // namespace corefleet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto* const cores = new std::vector<std::vector<uint8_t>>{
      corefleet::Whole(corefleet::MeminspectSeries::kV1), corefleet::Whole(corefleet::MeminspectSeries::kV3)};
  if (size == 0) return 0;
  std::vector<uint8_t> file = (*cores)[data[0] % cores->size()];
  const size_t edits = std::min((size - 1) / sizeof(corefleet::Edit), corefleet::kMaxEdits);
  for (size_t i = 0; i < edits; ++i) {
    corefleet::Edit edit;
    std::memcpy(&edit, data + 1 + i * sizeof(edit), sizeof(edit));
    corefleet::Apply(edit, &file);
  }
  corefleet::TakeApart(file);
  return 0;
}

#include "tests/support/image_checks.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

// Halves what the image has only in part, down to bytes.
bool HasNoWrongByte(const CoreImage& image, uint64_t vaddr, ByteView wanted) {
  if (wanted.empty()) return true;
  std::vector<uint8_t> bytes(wanted.size());
  if (image.ReadVirtual(vaddr, absl::MakeSpan(bytes)).ok()) return ByteView(bytes) == wanted;
  if (wanted.size() == 1) return true;
  const size_t half = wanted.size() / 2;
  return HasNoWrongByte(image, vaddr, wanted.first(half)) &&
         HasNoWrongByte(image, vaddr + half, wanted.subspan(half));
}

}  // namespace

std::vector<DefectCode> Codes(const CoreImage& image) {
  std::vector<DefectCode> codes;
  for (const Defect& defect : image.defects) codes.push_back(defect.code);
  return codes;
}

std::string Defects(const CoreImage& image) {
  std::string text;
  for (const Defect& d : image.defects) {
    absl::StrAppend(&text, DefectCodeName(d.code), " [", d.region, "] ", d.detail, "\n");
  }
  return text;
}

void ExpectNoWrongByte(const RegionSetBuilder& plan, const CoreImage& image) {
  for (const RegionSetBuilder::Planned& region : plan.regions) {
    ASSERT_TRUE(HasNoWrongByte(image, region.vaddr, region.bytes))
        << "region " << region.id << " has wrong bytes\n"
        << Defects(image);
  }
}

bool IsThere(const RegionSetBuilder& plan, uint32_t id, const CoreImage& image) {
  const auto region = std::find_if(plan.regions.begin(), plan.regions.end(),
                                   [id](const RegionSetBuilder::Planned& r) { return r.id == id; });
  if (region == plan.regions.end()) return false;
  std::vector<uint8_t> bytes(region->bytes.size());
  return image.ReadVirtual(region->vaddr, absl::MakeSpan(bytes)).ok();
}

size_t CountThere(const RegionSetBuilder& plan, const CoreImage& image) {
  return std::count_if(plan.regions.begin(), plan.regions.end(),
                       [&](const RegionSetBuilder::Planned& r) { return IsThere(plan, r.id, image); });
}

}  // namespace corefleet

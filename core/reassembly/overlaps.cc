#include "core/reassembly/overlaps.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/reassembly/piece.h"

namespace corefleet {
namespace {

constexpr size_t kMaxPairs = 256;
constexpr uint64_t kMaxCompared = 1 << 20;  // bytes of one pair
constexpr uint64_t kMarkBytes = 8;

uint64_t LastOf(const Segment& segment) { return segment.paddr + (segment.available - 1); }

bool BytesDiffer(const CoreImage& image, const Segment& a, const Segment& b, uint64_t first, uint64_t size) {
  const uint64_t n = std::min(size, kMaxCompared);
  const auto left = ReadBytes(*image.sources[*a.region], first - a.paddr, n);
  const auto right = ReadBytes(*image.sources[*b.region], first - b.paddr, n);
  return left.ok() && right.ok() && *left != *right;
}

void ReportPair(CoreImage* image, const Segment& a, const Segment& b) {
  const uint64_t first = std::max(a.paddr, b.paddr);
  const uint64_t size = std::min(LastOf(a), LastOf(b)) - first + 1;
  const bool differ = BytesDiffer(*image, a, b, first, size);
  const bool is_mark = a.size <= kMarkBytes || b.size <= kMarkBytes;
  if (!differ && is_mark) return;
  image->defects.push_back(
      {DefectCode::kRegionOverlap, RegionLabel(a.name, a.id),
       absl::StrCat("it and ", RegionLabel(b.name, b.id), " both have the ", size, " bytes at physical 0x",
                    absl::Hex(first),
                    differ ? ", and THE BYTES DIFFER: memory changed while it was saved" : "")});
}

}  // namespace

void FindOverlaps(CoreImage* image) {
  std::vector<uint32_t> order;
  for (uint32_t i = 0; i < image->segments.size(); ++i) {
    const Segment& segment = image->segments[i];
    if (segment.has_paddr && segment.available != 0 && segment.region) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [image](uint32_t a, uint32_t b) {
    return image->segments[a].paddr < image->segments[b].paddr;
  });
  size_t pairs = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    const uint64_t last = LastOf(image->segments[order[i]]);
    for (size_t j = i + 1; j < order.size() && image->segments[order[j]].paddr <= last; ++j) {
      if (++pairs > kMaxPairs) return;
      ReportPair(image, image->segments[std::min(order[i], order[j])],
                 image->segments[std::max(order[i], order[j])]);
    }
  }
}

}  // namespace corefleet

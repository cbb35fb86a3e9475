#include "core/build/image_regions.h"

#include <algorithm>

#include "core/meminspect/region_ids.h"

namespace corefleet {

ImageRegions::ImageRegions(const CoreImage& image) {
  std::vector<bool> placed(image.sources.size(), false);
  const MeminspectSeries series = SeriesOfText(image.series);
  auto v1_id = [series](std::optional<uint32_t> id) {
    return id && IsRfc(series) ? std::optional<uint32_t>(V1IdOf(series, *id)) : id;
  };
  for (const Segment& segment : image.segments) {
    Candidate candidate{v1_id(segment.id), segment.available, nullptr};
    if (segment.region && *segment.region < image.sources.size()) {
      candidate.source = image.sources[*segment.region];
      placed[*segment.region] = true;
    }
    candidates_.push_back(std::move(candidate));
  }
  placed_ = candidates_.size();
  for (const RegionFacts& region : image.regions) {
    if (!region.index || *region.index >= image.sources.size() || placed[*region.index]) continue;
    candidates_.push_back({v1_id(region.id), region.received, image.sources[*region.index]});
  }
}

std::vector<uint8_t> ImageRegions::Read(const Candidate& candidate, uint64_t limit) {
  if (candidate.source == nullptr) return {};
  const uint64_t length = std::min({limit, candidate.available, candidate.source->size()});
  return ReadBytes(*candidate.source, 0, length).value_or(std::vector<uint8_t>());
}

bool ImageRegions::StartsWith(const Candidate& candidate, absl::string_view prefix) const {
  return TextOf(Read(candidate, prefix.size())) == prefix;
}

std::optional<RegionBytes> ImageRegions::WithId(RegionId id, uint64_t limit) const {
  for (const Candidate& candidate : candidates_) {
    if (candidate.id != static_cast<uint32_t>(id)) continue;
    std::vector<uint8_t> bytes = Read(candidate, limit);
    if (!bytes.empty()) return RegionBytes{std::move(bytes), Provenance::kRegionId};
  }
  return {};
}

std::optional<RegionBytes> ImageRegions::StartingWith(absl::string_view prefix, uint64_t limit) const {
  for (const Candidate& candidate : candidates_) {
    if (StartsWith(candidate, prefix)) return RegionBytes{Read(candidate, limit), Provenance::kAnchor};
  }
  return {};
}

std::optional<RegionBytes> ImageRegions::RightBefore(RegionId id, absl::string_view prefix,
                                                     uint64_t size) const {
  for (size_t i = 1; i < placed_; ++i) {
    if (candidates_[i].id != static_cast<uint32_t>(id) && !StartsWith(candidates_[i], prefix)) continue;
    std::vector<uint8_t> bytes = Read(candidates_[i - 1], size + 1);
    if (bytes.size() == size) return RegionBytes{std::move(bytes), Provenance::kAnchor};
  }
  return {};
}

}  // namespace corefleet

#ifndef COREFLEET_CORE_BUILD_IMAGE_REGIONS_H_
#define COREFLEET_CORE_BUILD_IMAGE_REGIONS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/crash/facts.h"
#include "core/reassembly/core_image.h"

namespace corefleet {

// meminspect's ids of the regions that facts are read from; the same in all revisions of the series.
enum class RegionId : uint32_t {
  kConfig = 3,
  kCpuPossible = 5,
  kCpuPresent = 6,
  kCpuOnline = 7,
  kCpuActive = 8,
  kJiffies = 10,
  kBanner = 11,
  kTaintedMask = 14,
  kTaintFlags = 15,
  kUtsNamespace = 19,
};

// A region's bytes, and how it was recognised.
struct RegionBytes {
  std::vector<uint8_t> bytes;
  Provenance from = Provenance::kRegionId;
};

// Finds the regions of an image that hold one object each, placed or not. Ids are hints: what is found must
// still be checked by its content. `image` must outlive it.
class ImageRegions {
 public:
  explicit ImageRegions(const CoreImage& image);

  // At most `limit` bytes of the region with this id. nullopt when there is none, or nothing of it was
  // received.
  std::optional<RegionBytes> WithId(RegionId id, uint64_t limit) const;
  // At most `limit` bytes of the first region that starts with `prefix`.
  std::optional<RegionBytes> StartingWith(absl::string_view prefix, uint64_t limit) const;
  // The region right before the one with `id` (or starting with `prefix`) in header order, if it has exactly
  // `size` bytes. The order of registration is the same in all revisions of the series.
  std::optional<RegionBytes> RightBefore(RegionId id, absl::string_view prefix, uint64_t size) const;

 private:
  struct Candidate {
    std::optional<uint32_t> id;
    uint64_t available = 0;
    std::shared_ptr<const ByteSource> source;  // null when nothing was received
  };
  static std::vector<uint8_t> Read(const Candidate& candidate, uint64_t limit);
  bool StartsWith(const Candidate& candidate, absl::string_view prefix) const;

  std::vector<Candidate> candidates_;  // placed ones in header order, then the rest
  size_t placed_ = 0;
};

}  // namespace corefleet

#endif  // COREFLEET_CORE_BUILD_IMAGE_REGIONS_H_

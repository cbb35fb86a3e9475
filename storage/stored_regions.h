#ifndef COREFLEET_STORAGE_STORED_REGIONS_H_
#define COREFLEET_STORAGE_STORED_REGIONS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "core/crash/region_set.h"
#include "storage/crash_index.h"
#include "storage/pack_store.h"

namespace corefleet {

// A region of which not everything was sent.
struct UnsentRegion {
  uint32_t region = 0;      // index into the manifest, and into the set
  uint64_t size = 0;        // bytes, as announced
  uint64_t shown = 0;       // of these, from the start on, the set has
  uint64_t behind_gap = 0;  // so many more are stored behind a gap, and cannot be shown

  friend bool operator==(const UnsentRegion&, const UnsentRegion&) = default;
};

struct StoredRegions {
  // At the manifest's indexes. A region of which chunks are missing ends before the first of them; one of
  // which not even the first is there has no bytes (null), as if it had not been received. Nothing is made
  // up.
  RegionSet set;
  std::vector<UnsentRegion> unsent;  // in the manifest's order; empty when the crash is whole
};

// The region set of a stored crash, read on demand from its packs: a region's source fetches, inflates and
// verifies one chunk at a time. The chunks read last are kept, `cache_bytes` of them for all regions together
// (one chunk at least): what is read again while it is kept costs a copy. `store` must outlive the set. Where
// several packs hold the same chunk the first one counts.
//   DATA_LOSS  a pack holds what is no part of the manifest, or the packs hold less than the crash had when
//   it
//              was finished
inline constexpr uint64_t kChunkCacheBytes = 1 << 20;
absl::StatusOr<StoredRegions> OpenStoredRegions(const CrashContents& contents, PackStore* store,
                                                uint64_t cache_bytes = kChunkCacheBytes);

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_STORED_REGIONS_H_

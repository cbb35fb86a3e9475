#ifndef COREFLEET_STORAGE_STORED_REGIONS_H_
#define COREFLEET_STORAGE_STORED_REGIONS_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "core/crash/region_set.h"
#include "core/manifest/manifest.h"
#include "storage/crash_index.h"
#include "storage/pack_store.h"

namespace corefleet {

// The region set of a stored crash, read on demand from its packs: a region's source fetches, inflates and
// verifies one chunk at a time and keeps the last few. `store` must outlive the set. Where several packs hold
// the same chunk the first one counts.
//   DATA_LOSS  the packs do not cover the manifest
absl::StatusOr<RegionSet> OpenStoredRegions(const Manifest& manifest, const std::vector<StoredPack>& packs,
                                            PackStore* store);

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_STORED_REGIONS_H_

#ifndef COREFLEET_SERVER_RECONCILE_PACK_CHECK_H_
#define COREFLEET_SERVER_RECONCILE_PACK_CHECK_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/manifest/manifest.h"
#include "storage/crash_index.h"
#include "storage/pack.h"
#include "storage/pack_store.h"

namespace corefleet {

// A pack out of the store, whose every chunk was inflated and has its digest.
struct CheckedPack {
  std::vector<uint8_t> bytes;
  PackIndex index;
};

//   DATA_LOSS    a chunk, or the index at the pack's front, is not what it was
//   NOT_FOUND    no such pack
//   UNAVAILABLE  the store does not answer
absl::StatusOr<CheckedPack> ReadCheckedPack(const PackRef& ref, PackStore* store);

// True when every entry is a chunk that `manifest` announces, in its size.
bool Fits(const std::vector<PackEntry>& entries, const Manifest& manifest);

// What `packs` make of the chunks of a pack that may join them.
enum class PackStanding {
  kNews,     // some are not there yet, and the others are the same
  kKnown,    // all are there
  kConflict  // one is there with another digest
};
PackStanding StandingOf(const std::vector<PackEntry>& entries, const std::vector<StoredPack>& packs);

}  // namespace corefleet

#endif  // COREFLEET_SERVER_RECONCILE_PACK_CHECK_H_

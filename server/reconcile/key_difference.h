#ifndef COREFLEET_SERVER_RECONCILE_KEY_DIFFERENCE_H_
#define COREFLEET_SERVER_RECONCILE_KEY_DIFFERENCE_H_

#include <vector>

#include "storage/crash_index.h"
#include "storage/pack_store.h"

namespace corefleet {

// Where the index and the store do not agree about one key.
struct KeyDifference {
  std::vector<IndexedPack> lost;             // named, and not there whole
  std::vector<PackStore::KeptPack> orphans;  // there, and no row names a byte of them
};

// Compares what is there with what is named. A pack that only overlaps a named one is no orphan: it may be a
// device's bytes that look like a record, inside of a pack that is alive.
KeyDifference Compare(const std::vector<PackStore::KeptPack>& kept, const std::vector<IndexedPack>& named);

}  // namespace corefleet

#endif  // COREFLEET_SERVER_RECONCILE_KEY_DIFFERENCE_H_

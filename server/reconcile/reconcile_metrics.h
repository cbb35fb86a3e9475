#ifndef COREFLEET_SERVER_RECONCILE_RECONCILE_METRICS_H_
#define COREFLEET_SERVER_RECONCILE_RECONCILE_METRICS_H_

#include <cstdint>

#include "absl/time/time.h"

namespace corefleet {

// What one pass over the whole store found. All 0 when all is well.
struct Differences {
  uint64_t missing_packs = 0;        // rows whose pack is not in the store: lost bytes
  uint64_t damaged_packs = 0;        // rows whose pack is there and fails its checksum: lost bytes
  uint64_t unreadable_segments = 0;  // the store could not read them: nothing is known about their packs
  uint64_t orphan_packs = 0;         // packs that no row names, and that are still there
  uint64_t orphan_bytes = 0;
  uint64_t lost_analyses = 0;  // crashes that nobody would have analysed; requested again

  friend bool operator==(const Differences&, const Differences&) = default;
};

// What the reconciler has to say to whoever counts. Does nothing by itself. Called from one thread.
class ReconcileMetrics {
 public:
  virtual ~ReconcileMetrics() = default;
  // A pass ended. `holding_back`: there are more orphans than can be true, so none is released.
  virtual void PassEnded(const Differences& found, bool holding_back, absl::Time at) {}
  // A pack that no row names, or a whole segment of them, gave its room back.
  virtual void PackReleased(uint64_t bytes) {}
  virtual void SegmentRemoved() {}
  // A pack whose row was never written has one now.
  virtual void PackAdopted() {}
  // The chunks of a pack were checked against their digests.
  virtual void PackScrubbed(uint64_t bytes, bool damaged) {}
  // IngestAccount::Difference, as of now.
  virtual void AccountDiffers(int64_t by) {}
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_RECONCILE_RECONCILE_METRICS_H_

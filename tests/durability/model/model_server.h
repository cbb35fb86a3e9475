#ifndef COREFLEET_TESTS_DURABILITY_MODEL_MODEL_SERVER_H_
#define COREFLEET_TESTS_DURABILITY_MODEL_MODEL_SERVER_H_

#include <memory>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "server/ingest/ingest_metrics.h"
#include "server/ingest/ingestor.h"
#include "server/reconcile/reconciler.h"
#include "storage/crash_index.h"
#include "storage/segment/segment_pack_store.h"

namespace corefleet {

// What the reconciler said, over several servers.
struct ReconcileLog final : public ReconcileMetrics {
  void PassEnded(const Differences& found, bool holding, absl::Time at) override {
    last = found;
    holding_back = holding;
    ++passes;
  }
  void PackReleased(uint64_t bytes) override { ++released; }
  void SegmentRemoved() override { ++removed; }
  void PackAdopted() override { ++adopted; }
  void PackScrubbed(uint64_t bytes, bool damaged) override { scrub_damage += damaged; }
  void AccountDiffers(int64_t by) override { unbalanced += by != 0; }

  Differences last;
  bool holding_back = false;
  int passes = 0;
  int released = 0;
  int removed = 0;
  int adopted = 0;
  int scrub_damage = 0;
  int unbalanced = 0;
};

// One run of a server: what corefleetd makes of a directory and a database. Ends as a killed process does.
class ModelServer {
 public:
  struct Surroundings {
    FileSystem* files;
    uint64_t segment_bytes;
    CrashIndex* index;
    CrashIndex* reconcilers_index;
    const Clock* clock;
    ReconcileLog* log;
  };
  //   INTERNAL  the disk does not answer
  static absl::StatusOr<std::unique_ptr<ModelServer>> Start(const Surroundings& around);

  PackStore* store() { return store_.get(); }
  Ingestor* ingestor() { return &ingestor_; }
  Reconciler* reconciler() { return &reconciler_; }

 private:
  ModelServer(const Surroundings& around, std::unique_ptr<SegmentPackStore> store);

  IngestMetrics metrics_;
  const std::unique_ptr<SegmentPackStore> store_;
  Ingestor ingestor_;
  Reconciler reconciler_;
};

}  // namespace corefleet

#endif  // COREFLEET_TESTS_DURABILITY_MODEL_MODEL_SERVER_H_

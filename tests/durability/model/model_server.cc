#include "tests/durability/model/model_server.h"

#include <utility>

#include "base/status_macros.h"

namespace corefleet {
namespace {

// Small, so that a crash takes several packs, and a full disk is found by a write and not at the door.
IngestLimits SmallPacks() {
  IngestLimits limits;
  limits.flush_bytes = 100 << 10;
  limits.min_free_bytes = 0;
  return limits;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ModelServer>> ModelServer::Start(const Surroundings& around) {
  ASSIGN_OR_RETURN(std::unique_ptr<SegmentPackStore> store,
                   SegmentPackStore::Open("/segments", {.segment_bytes = around.segment_bytes,
                                                        .max_open_segments = 4,
                                                        .file_system = around.files}));
  return std::unique_ptr<ModelServer>(new ModelServer(around, std::move(store)));
}

ModelServer::ModelServer(const Surroundings& around, std::unique_ptr<SegmentPackStore> store)
    : store_(std::move(store)),
      ingestor_({.index = around.index, .store = store_.get(), .clock = around.clock, .metrics = &metrics_},
                SmallPacks()),
      reconciler_({.index = around.reconcilers_index,
                   .store = store_.get(),
                   .clock = around.clock,
                   .metrics = around.log},
                  {}) {}

}  // namespace corefleet

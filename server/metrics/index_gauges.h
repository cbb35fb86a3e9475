#ifndef COREFLEET_SERVER_METRICS_INDEX_GAUGES_H_
#define COREFLEET_SERVER_METRICS_INDEX_GAUGES_H_

#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/worker_pool.h"
#include "storage/crash_index.h"
#include "storage/pack_store.h"

namespace corefleet {

// What the index and the store count, as of a moment ago.
struct StoredCounts {
  bool database_up = false;
  IndexStats index;  // of the last time that the database answered
  IngestAccount account;
  uint64_t stored_bytes = 0;
  uint64_t free_bytes = 0;
};

// Keeps StoredCounts fresh for whoever scrapes. Thread-safe.
class IndexGauges {
 public:
  static constexpr int kMaxBuilds = 20;

  IndexGauges(CrashIndex* index, PackStore* store, const Clock* clock);

  // Asks again when the counts are older than two seconds. A database that does not answer makes a scrape
  // wait half a second at most: it then gets what was known, and `database_up` false.
  StoredCounts Read();

 private:
  void Refresh();

  CrashIndex* const index_;
  PackStore* const store_;
  const Clock* const clock_;
  absl::Mutex mutex_;
  StoredCounts counts_ ABSL_GUARDED_BY(mutex_);
  absl::Time asked_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  bool asking_ ABSL_GUARDED_BY(mutex_) = false;
  WorkerPool worker_{1};  // last: ends before what it fills
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_METRICS_INDEX_GAUGES_H_

#ifndef COREFLEET_SERVER_ANALYSIS_CRASH_READER_H_
#define COREFLEET_SERVER_ANALYSIS_CRASH_READER_H_

#include <functional>
#include <map>
#include <set>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "core/analyze.h"
#include "core/kdump/dumped_memory.h"
#include "server/analysis/analysis_metrics.h"
#include "storage/crash_index.h"
#include "storage/pack_store.h"

namespace corefleet {

// Reads waiting crashes, one a call: claims it under a lease, analyses it, stores its facts. Thread-safe;
// several threads and several servers may work at the same queue.
//
// A crash is never lost to a bug or an outage. What fails is lent again when its lease has run out; what has
// failed max_attempts times although its bytes can be read, or because they are damaged, is stored as
// UNREADABLE with the reason. While the store is away nothing is given up.
class CrashReader {
 public:
  struct Dependencies {
    CrashIndex* index;
    PackStore* store;
    const Clock* clock;
    AnalysisMetrics* metrics;
    const DumpOpener* opener = nullptr;  // reads compressed dumps; null: only their header is read
    std::function<Analysis(const CoreImage&, const RegionSet&)> analyze = Analyze;
  };
  struct Options {
    // How long a crash is another one's when its reader died.
    absl::Duration lease = absl::Seconds(20);
    int max_attempts = 5;
  };

  CrashReader(Dependencies deps, Options options) : deps_(std::move(deps)), options_(options) {}

  // True if a crash was waiting, whatever became of it; false if none was.
  //   UNAVAILABLE, ABORTED, UNKNOWN  the index does not answer
  absl::StatusOr<bool> ReadOne();

 private:
  using Lease = CrashIndex::AnalysisLease;

  // OK once facts are stored.
  absl::Status Read(const Lease& lease);
  absl::Status GiveUp(const Lease& lease);
  // Of the crash as it was at `revision`, which it sets.
  absl::StatusOr<CrashFacts> FactsOf(const CrashId& id, uint32_t* revision);
  // False if another thread is at it.
  bool Enter(const CrashId& id);
  void Leave(const CrashId& id, const absl::Status& result);
  int CountedAttempts(const Lease& lease);

  const Dependencies deps_;
  const Options options_;
  absl::Mutex mutex_;
  // What this process is reading: a lease that ran out on a slow one must not start it again.
  std::set<CrashId> reading_ ABSL_GUARDED_BY(mutex_);
  // Attempts that an outage ended, of crashes that still wait.
  std::map<CrashId, int> excused_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_ANALYSIS_CRASH_READER_H_

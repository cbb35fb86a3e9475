#ifndef COREFLEET_SERVER_RECONCILE_RECONCILE_SCHEDULE_H_
#define COREFLEET_SERVER_RECONCILE_RECONCILE_SCHEDULE_H_

#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/reconcile/reconciler.h"

namespace corefleet {

// How fast the reconciler goes. A key is a segment of 64 MiB, of which every byte is read: one in ten seconds
// is half a terabyte a day.
struct ReconcilePace {
  absl::Duration between_keys = absl::Seconds(10);
  absl::Duration between_passes = absl::Minutes(10);
};

// Lets a reconciler work, in a thread of its own and of the lowest priority, until this ends.
class ReconcileSchedule {
 public:
  // Begins at once, with what the last process left behind. `reconciler` must outlive it, and is nobody
  // else's meanwhile.
  ReconcileSchedule(Reconciler* reconciler, const ReconcilePace& pace);
  ~ReconcileSchedule();
  ReconcileSchedule(const ReconcileSchedule&) = delete;
  ReconcileSchedule& operator=(const ReconcileSchedule&) = delete;

 private:
  void Work();
  // False when it is time to end.
  bool Wait(absl::Duration duration);

  Reconciler* const reconciler_;
  const ReconcilePace pace_;
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_RECONCILE_RECONCILE_SCHEDULE_H_

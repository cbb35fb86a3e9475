#ifndef COREFLEET_TESTS_BENCH_LOAD_SCHEDULE_H_
#define COREFLEET_TESTS_BENCH_LOAD_SCHEDULE_H_

#include <cstdint>
#include <optional>
#include <queue>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"

namespace corefleet {

// Says which crash is to be uploaded next, and when. Crashes happen on their own (a fixed rate), or as soon
// as a device is free; one that was refused comes back when the server said. Thread-safe.
class Schedule {
 public:
  struct Options {
    uint64_t first = 0;                                  // number of the first crash
    uint64_t crashes = 0;                                // 0: as many as there is time for
    double per_second = 0;                               // 0: as soon as a device is free
    absl::Duration duration = absl::InfiniteDuration();  // nothing new begins after this
  };
  struct Job {
    uint64_t number;
    absl::Time offered;  // when it happened on the device
    int refusals = 0;
  };

  // Crashes happen from now on.
  Schedule(const Options& options, Clock* clock);

  // Blocks until a crash is due. None when all are done or the time is over.
  std::optional<Job> Next();
  // `job` was refused: it comes back at `due`, if there is time.
  void ComeBack(Job job, absl::Time due);
  // One that Next gave and that does not come back is done with.
  void Done();

  uint64_t offered() const;
  // Refused, and not come back before the end.
  uint64_t waiting() const;
  absl::Time began() const { return began_; }

 private:
  struct Due {
    absl::Time when;
    Job job;
    bool operator<(const Due& other) const { return when > other.when; }  // the earliest on top
  };

  bool MoreToCome() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::optional<Job> WaitForJob() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Time NextArrival() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  Clock* const clock_;
  const absl::Time began_;
  const absl::Time end_;
  mutable absl::Mutex mutex_;
  // One thread waits for the clock and the others for it: if hundreds woke up for each crash, that would cost
  // more than the crash.
  bool watched_ ABSL_GUARDED_BY(mutex_) = false;
  absl::CondVar relief_;
  absl::CondVar changed_;  // what the watching one waits for
  uint64_t arrived_ ABSL_GUARDED_BY(mutex_) = 0;
  int under_way_ ABSL_GUARDED_BY(mutex_) = 0;
  std::priority_queue<Due> returning_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace corefleet

#endif  // COREFLEET_TESTS_BENCH_LOAD_SCHEDULE_H_

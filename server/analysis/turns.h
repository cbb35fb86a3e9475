#ifndef COREFLEET_SERVER_ANALYSIS_TURNS_H_
#define COREFLEET_SERVER_ANALYSIS_TURNS_H_

#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"

namespace corefleet {

// When analysis leaves the machine to the devices: while so many upload at once that they keep the server
// busy, and for a moment after, but no longer than a burst lasts. Under a load that does not end it works
// beside the uploads, for a backlog must not grow without end. The lowest priority alone is not enough: its
// memory, its reads and its statements take from the uploads what priorities do not know of. Thread-safe.
class Turns {
 public:
  struct Options {
    // A burst has ended when devices did not keep the server busy for so long.
    absl::Duration quiet = absl::Milliseconds(300);
    // The longest that a crash waits because of a burst.
    absl::Duration patience = absl::Seconds(5);
  };

  // `busy` says whether devices keep the server busy; it must not block and may be called by several threads.
  Turns(std::function<bool()> busy, const Clock* clock, const Options& options)
      : busy_(std::move(busy)), clock_(clock), options_(options) {}

  // Whether it is analysis' turn.
  bool Mine() {
    const bool busy = busy_();
    absl::MutexLock lock(&mutex_);
    const absl::Time now = clock_->Now();
    const bool in_burst = now - last_busy_ < options_.quiet;
    if (busy && !in_burst) began_ = now;
    if (busy) last_busy_ = now;
    return (!busy && !in_burst) || now - began_ >= options_.patience;
  }

 private:
  const std::function<bool()> busy_;
  const Clock* const clock_;
  const Options options_;
  absl::Mutex mutex_;
  absl::Time began_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();  // the burst that last_busy_ belongs to
  absl::Time last_busy_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_ANALYSIS_TURNS_H_

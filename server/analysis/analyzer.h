#ifndef COREFLEET_SERVER_ANALYSIS_ANALYZER_H_
#define COREFLEET_SERVER_ANALYSIS_ANALYZER_H_

#include <cstdint>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/analysis/crash_reader.h"
#include "server/analysis/turns.h"

namespace corefleet {

// The threads that keep a CrashReader busy: at once when woken, and every `poll` in case another server
// received the crash or a lease ran out. They run at the lowest priority, and only when it is their turn.
// Thread-safe. The reader and the turns must outlive it.
class Analyzer {
 public:
  // Starts `threads` threads, which look for waiting crashes at once. `turns` may be null: always theirs.
  Analyzer(CrashReader* reader, int threads, absl::Duration poll = absl::Seconds(1), Turns* turns = nullptr);
  // Waits for what is being read, at most.
  ~Analyzer();
  Analyzer(const Analyzer&) = delete;
  Analyzer& operator=(const Analyzer&) = delete;

  // Says that a crash may be waiting. Does not block.
  void Wake();

 private:
  void Work();
  // Until it is this thread's turn. False when it is time to stop.
  bool AwaitTurn();
  // Until somebody wakes it after `seen`, or `poll` has passed. False when it is time to stop.
  bool Rest(uint64_t seen);
  uint64_t Wakes() const;

  CrashReader* const reader_;
  const absl::Duration poll_;
  Turns* const turns_;
  mutable absl::Mutex mutex_;
  uint64_t wakes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_ANALYSIS_ANALYZER_H_

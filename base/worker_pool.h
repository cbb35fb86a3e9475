#ifndef COREFLEET_BASE_WORKER_POOL_H_
#define COREFLEET_BASE_WORKER_POOL_H_

#include <deque>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"

namespace corefleet {

// A fixed number of threads that run what they are given, in order of arrival. gRPC's own callback threads
// are two on a two-core machine and must never block, so everything that may block runs here. Thread-safe.
//
// The queue is not bounded here: whoever posts bounds what it posts (one step a stream, one call a unary
// rpc).
class WorkerPool {
 public:
  // Starts `threads` (at least 1) threads.
  explicit WorkerPool(int threads);
  // Runs what is queued, then stops. Nothing may be posted from here on, except by tasks that still run.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Queues `task`. It must not throw.
  void Run(absl::AnyInvocable<void()> task);

 private:
  void Work();
  bool Ready() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || !tasks_.empty(); }

  absl::Mutex mutex_;
  std::deque<absl::AnyInvocable<void()>> tasks_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace corefleet

#endif  // COREFLEET_BASE_WORKER_POOL_H_

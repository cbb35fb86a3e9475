#ifndef COREFLEET_STORAGE_POSTGRES_GROUP_COMMIT_H_
#define COREFLEET_STORAGE_POSTGRES_GROUP_COMMIT_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace corefleet {

// Gathers the operations of many threads into few transactions. Whoever comes first runs his own at once; who
// comes meanwhile waits, and one of these then runs all that have gathered. Nobody waits for others to come.
// Thread-safe.
template <typename Op>
class GroupCommit {
 public:
  // `run` takes one to `max_ops` operations in the order they came, and no second one after `max_bytes`
  // (Op::bytes()). It is called by one thread at a time.
  GroupCommit(size_t max_ops, size_t max_bytes, std::function<void(const std::vector<Op*>&)> run)
      : max_ops_(max_ops), max_bytes_(max_bytes), run_(std::move(run)) {}
  GroupCommit(const GroupCommit&) = delete;
  GroupCommit& operator=(const GroupCommit&) = delete;

  // Returns when `op` has been run.
  void Run(Op* op) {
    Waiter waiter{op};
    {
      absl::MutexLock lock(&mutex_);
      queue_.push_back(&waiter);
      const auto woken = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return waiter.done || (!running_ && queue_.front() == &waiter);
      };
      mutex_.Await(absl::Condition(&woken));
      if (waiter.done) return;
      running_ = true;
    }
    Lead();
  }

 private:
  struct Waiter {
    Op* op;
    bool done = false;
  };

  // Runs what has gathered; the first of it is the caller's own.
  void Lead() {
    std::vector<Waiter*> taken;
    std::vector<Op*> ops;
    {
      absl::MutexLock lock(&mutex_);
      size_t bytes = 0;
      while (!queue_.empty() && ops.size() < max_ops_ && bytes < max_bytes_) {
        taken.push_back(queue_.front());
        ops.push_back(queue_.front()->op);
        bytes += queue_.front()->op->bytes();
        queue_.pop_front();
      }
    }
    run_(ops);
    absl::MutexLock lock(&mutex_);
    for (Waiter* waiter : taken) waiter->done = true;
    running_ = false;
  }

  const size_t max_ops_;
  const size_t max_bytes_;
  const std::function<void(const std::vector<Op*>&)> run_;
  absl::Mutex mutex_;
  std::deque<Waiter*> queue_ ABSL_GUARDED_BY(mutex_);
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_POSTGRES_GROUP_COMMIT_H_

#ifndef COREFLEET_SERVER_IDENTITY_EXCHANGED_H_
#define COREFLEET_SERVER_IDENTITY_EXCHANGED_H_

#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace corefleet {

// A value that is read by many and exchanged as a whole, now and then. Whoever has it keeps what he has.
// Thread-safe.
template <typename T>
class Exchanged {
 public:
  explicit Exchanged(T first) : current_(std::make_shared<const T>(std::move(first))) {}

  std::shared_ptr<const T> current() const {
    absl::MutexLock lock(&mutex_);
    return current_;
  }
  void Replace(T next) {
    auto replacement = std::make_shared<const T>(std::move(next));
    absl::MutexLock lock(&mutex_);
    current_.swap(replacement);
  }

 private:
  mutable absl::Mutex mutex_;
  std::shared_ptr<const T> current_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_IDENTITY_EXCHANGED_H_

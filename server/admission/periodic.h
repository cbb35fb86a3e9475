#ifndef COREFLEET_SERVER_ADMISSION_PERIODIC_H_
#define COREFLEET_SERVER_ADMISSION_PERIODIC_H_

#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace corefleet {

// Calls a function again and again, on a thread of its own that ends with it: once at first, then `interval`
// after the last call returned. Never two at once.
class Periodic {
 public:
  Periodic(absl::Duration interval, std::function<void()> call);
  // Waits for a call that is under way.
  ~Periodic();
  Periodic(const Periodic&) = delete;
  Periodic& operator=(const Periodic&) = delete;

 private:
  void Run();

  const absl::Duration interval_;
  const std::function<void()> call_;
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_ADMISSION_PERIODIC_H_

#ifndef COREFLEET_SERVER_READINESS_H_
#define COREFLEET_SERVER_READINESS_H_

#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "storage/crash_index.h"
#include "storage/pack_store.h"

namespace corefleet {

// Asks once a second whether the index answers and the store can take more, and says when that changes.
// Thread-safe.
class Readiness {
 public:
  // Asks for the first time at once, in the calling thread. `changed` is called with true when everything is
  // ready and with false when it is not any more, never twice at a time.
  Readiness(CrashIndex* index, PackStore* store, uint64_t min_free_bytes, std::function<void(bool)> changed);
  ~Readiness();
  Readiness(const Readiness&) = delete;
  Readiness& operator=(const Readiness&) = delete;

  // As of the last question: OK, or UNAVAILABLE or RESOURCE_EXHAUSTED with the reason.
  absl::Status status() const;

 private:
  absl::Status Ask();
  void Note(const absl::Status& status);
  void Watch();

  CrashIndex* const index_;
  PackStore* const store_;
  const uint64_t min_free_bytes_;
  const std::function<void(bool)> changed_;
  mutable absl::Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_) = absl::UnavailableError("starting");
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_READINESS_H_

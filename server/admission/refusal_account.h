#ifndef COREFLEET_SERVER_ADMISSION_REFUSAL_ACCOUNT_H_
#define COREFLEET_SERVER_ADMISSION_REFUSAL_ACCOUNT_H_

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/admission/periodic.h"
#include "server/admission/refusal.h"
#include "storage/crash_index.h"

namespace corefleet {

// Counts refused offers here, and in the index once in a while: a refusal must cost no transaction. What the
// index has not heard of is neither offered nor refused there, so its account balances at every moment. A
// process that is killed forgets the refusals of the last second. Thread-safe.
class RefusalAccount {
 public:
  // `index` must outlive it.
  explicit RefusalAccount(CrashIndex* index, absl::Duration interval = absl::Seconds(1));
  // Says what is not said yet.
  ~RefusalAccount();

  void Count(RefusalReason reason);

  // What Count saw and the index has not heard of.
  uint64_t unsaid() const;

 private:
  void Flush();
  void PutBack(const std::vector<uint64_t>& counts);

  CrashIndex* const index_;
  mutable absl::Mutex mutex_;
  std::vector<uint64_t> counts_ ABSL_GUARDED_BY(mutex_);  // by RefusalReason
  std::unique_ptr<Periodic> flushes_;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_ADMISSION_REFUSAL_ACCOUNT_H_

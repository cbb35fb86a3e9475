#ifndef COREFLEET_SERVER_INGEST_SESSION_EXPIRY_H_
#define COREFLEET_SERVER_INGEST_SESSION_EXPIRY_H_

#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "server/ingest/ingest_metrics.h"
#include "server/ingest/ingestor.h"
#include "storage/crash_index.h"

namespace corefleet {

// Ends, now and then, the open sessions whose devices did not come back in time: what brought nothing is
// forgotten, what brought something becomes a crash of which a part is here. Several servers may do so on one
// index. Has a thread of its own, which ends with it.
class SessionExpiry {
 public:
  // Begins at once. Everything must outlive it.
  SessionExpiry(CrashIndex* index, Ingestor* ingestor, const Clock* clock, IngestMetrics* metrics,
                absl::Duration interval = absl::Minutes(1));
  ~SessionExpiry();
  SessionExpiry(const SessionExpiry&) = delete;
  SessionExpiry& operator=(const SessionExpiry&) = delete;

 private:
  void Watch();
  // What the index does not do now it does the next time.
  void ForgetExpired();
  void FinishParts();

  CrashIndex* const index_;
  Ingestor* const ingestor_;
  const Clock* const clock_;
  IngestMetrics* const metrics_;
  const absl::Duration interval_;
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_INGEST_SESSION_EXPIRY_H_

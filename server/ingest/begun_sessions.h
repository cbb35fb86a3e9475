#ifndef COREFLEET_SERVER_INGEST_BEGUN_SESSIONS_H_
#define COREFLEET_SERVER_INGEST_BEGUN_SESSIONS_H_

#include <cstddef>
#include <deque>
#include <optional>
#include <unordered_map>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "storage/crash_index.h"

namespace corefleet {

// Sessions that this server has just made, for the streams that follow at once: each may be taken once, and
// saves the question to the database that would tell the same. What was taken may be out of date, as anything
// that was read is: nothing but the database's own checks may rest on it. Thread-safe.
class BegunSessions {
 public:
  // Forgets a session `keep` after it was made, and the oldest ones when there are more than `max_regions`
  // regions in all of them: about 200 bytes each.
  explicit BegunSessions(absl::Duration keep = absl::Seconds(10), size_t max_regions = 20000)
      : keep_(keep), max_regions_(max_regions) {}

  // A session without packs.
  void Put(Session session, absl::Time now);
  std::optional<Session> Take(const SessionId& id, absl::Time now);

 private:
  void Forget(const SessionId& id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const absl::Duration keep_;
  const size_t max_regions_;
  absl::Mutex mutex_;
  std::unordered_map<std::string, Session> sessions_ ABSL_GUARDED_BY(mutex_);  // by id
  size_t regions_ ABSL_GUARDED_BY(mutex_) = 0;
  // The oldest first; some are taken by now.
  std::deque<std::pair<absl::Time, SessionId>> made_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_INGEST_BEGUN_SESSIONS_H_

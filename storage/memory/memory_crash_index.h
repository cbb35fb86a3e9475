#ifndef COREFLEET_STORAGE_MEMORY_MEMORY_CRASH_INDEX_H_
#define COREFLEET_STORAGE_MEMORY_MEMORY_CRASH_INDEX_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "storage/crash_index.h"

namespace corefleet {

// A CrashIndex that forgets everything when it ends: the test twin of the real one. Thread-safe.
class MemoryCrashIndex final : public CrashIndex {
 public:
  absl::Status Ping() override;
  absl::StatusOr<BeginResult> BeginSession(const DeviceId& device, const Manifest& manifest,
                                           const std::string& note, const SessionTerms& terms,
                                           const SessionId& fresh, absl::Time now,
                                           absl::Time expires_at) override;
  absl::StatusOr<Session> GetSession(const SessionId& id) override;
  absl::Status AddPack(const SessionId& id, const StoredPack& pack) override;
  absl::StatusOr<std::vector<StoredPack>> SessionPacks(const SessionId& id) override;
  absl::Status DropPacks(const SessionId& id) override;
  absl::StatusOr<CrashId> FinishSession(const SessionId& id, const CrashId& fresh, uint64_t raw_bytes,
                                        uint64_t stored_bytes) override;
  absl::Status AbandonSession(const SessionId& id, const std::string& reason) override;
  absl::StatusOr<int64_t> ExpireSessions(absl::Time now, int64_t limit, const std::string& reason) override;
  absl::StatusOr<StoredCrash> GetCrash(const CrashId& id) override;
  absl::StatusOr<Manifest> CrashManifest(const CrashId& id) override;
  absl::StatusOr<std::vector<StoredPack>> CrashPacks(const CrashId& id) override;
  absl::StatusOr<std::vector<CrashId>> FindByPrefix(const std::string& prefix, int limit) override;
  absl::StatusOr<CrashPage> ListCrashes(const CrashFilter& filter, const CrashId& before, int limit) override;
  absl::StatusOr<std::vector<AnalysisLease>> ClaimAnalysis(int limit, absl::Time now,
                                                           absl::Time lease_until) override;
  absl::Status PutFacts(const CrashId& id, const CrashFacts& facts) override;
  absl::StatusOr<IndexStats> Stats(int max_builds) override;

  // What every method answers from now on, until it is set to OK again: a database that is down.
  void SetStatus(absl::Status status);

 private:
  struct SessionRecord {
    Session session;
    std::vector<StoredPack> packs;
  };
  struct CrashRecord {
    StoredCrash crash;
    SessionId session;
  };
  struct QueueEntry {
    absl::Time lease_until = absl::InfinitePast();
    int attempts = 0;
  };

  absl::StatusOr<SessionRecord*> FindSession(const SessionId& id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<SessionRecord*> FindOpenSession(const SessionId& id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<SessionRecord*> FindSessionOf(const CrashId& id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  std::map<SessionId, SessionRecord> sessions_ ABSL_GUARDED_BY(mutex_);
  std::map<std::pair<DeviceId, CrashUid>, SessionId> keys_ ABSL_GUARDED_BY(mutex_);
  std::map<CrashId, CrashRecord> crashes_ ABSL_GUARDED_BY(mutex_);
  std::map<CrashId, QueueEntry> queue_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_MEMORY_MEMORY_CRASH_INDEX_H_

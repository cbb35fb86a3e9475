#ifndef COREFLEET_STORAGE_MEMORY_MEMORY_CRASH_INDEX_H_
#define COREFLEET_STORAGE_MEMORY_MEMORY_CRASH_INDEX_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
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
  absl::StatusOr<std::optional<Session>> FindSession(const DeviceId& device, const CrashUid& uid) override;
  absl::StatusOr<Session> ReopenSession(const SessionId& id, const SessionTerms& terms,
                                        absl::Time expires_at) override;
  absl::StatusOr<Session> GetSession(const SessionId& id) override;
  absl::StatusOr<SessionWithPacks> GetSessionWithPacks(const SessionId& id) override;
  absl::Status AddPacks(const SessionId& id, absl::Span<const StoredPack> packs, absl::Time now,
                        absl::Time expires_at) override;
  absl::StatusOr<std::vector<StoredPack>> SessionPacks(const SessionId& id) override;
  absl::Status DropPacks(const SessionId& id) override;
  using CrashIndex::FinishSession;
  absl::StatusOr<CrashId> FinishSession(const SessionId& id, const CrashId& fresh,
                                        const CrashBytes& bytes) override;
  absl::Status FinishWithPacks(const SessionId& id, uint64_t pack_changes, absl::Span<const StoredPack> packs,
                               const CrashId& fresh, const CrashBytes& bytes) override;
  absl::Status AbandonSession(const SessionId& id, const std::string& reason) override;
  absl::StatusOr<int64_t> ExpireSessions(absl::Time now, int64_t limit, const std::string& reason) override;
  absl::StatusOr<std::vector<SessionId>> ExpiredWithPacks(absl::Time now, int64_t limit) override;
  absl::StatusOr<std::vector<SessionKey>> OpenSessions(int64_t limit) override;
  absl::Status AddRefusals(const std::vector<ReasonCount>& refused) override;
  absl::Status ReportLosses(const DeviceId& device, const std::string& epoch,
                            const std::vector<ReasonCount>& lost, absl::Time now) override;
  absl::StatusOr<IngestAccount> Account() override;
  absl::StatusOr<std::vector<IndexedPack>> PacksUnder(const std::string& key) override;
  absl::StatusOr<std::vector<std::string>> PackKeys() override;
  absl::StatusOr<int64_t> RequestLostAnalyses(absl::Time before, int64_t limit) override;
  absl::StatusOr<StoredCrash> GetCrash(const CrashId& id) override;
  absl::StatusOr<CrashContents> Contents(const CrashId& id) override;
  absl::StatusOr<std::vector<CrashId>> FindByPrefix(const std::string& prefix, int limit) override;
  absl::StatusOr<CrashPage> ListCrashes(const CrashFilter& filter, const CrashId& before, int limit) override;
  absl::StatusOr<std::vector<AnalysisLease>> ClaimAnalysis(int limit, absl::Time now,
                                                           absl::Time lease_until) override;
  using CrashIndex::PutFacts;
  absl::Status PutFacts(const CrashId& id, const CrashFacts& facts, uint32_t revision) override;
  absl::StatusOr<IndexStats> Stats(int max_builds) override;

  // What every method answers from now on, until it is set to OK again: a database that is down.
  void SetStatus(absl::Status status);

 private:
  struct SessionRecord {
    Session session;
    std::vector<StoredPack> packs;
    size_t kept = 0;  // so many of the packs are the crash's
  };
  struct CrashRecord {
    StoredCrash crash;
    SessionId session;
  };
  struct QueueEntry {
    absl::Time lease_until = absl::InfinitePast();
    int attempts = 0;
  };

  // What one epoch of a device has reported, and when last.
  struct EpochLosses {
    absl::Time reported_at;
    std::map<std::string, uint64_t> counts;  // by reason
  };

  absl::StatusOr<SessionRecord*> Lookup(const SessionId& id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<SessionRecord*> LookupOpen(const SessionId& id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<SessionRecord*> LookupOf(const CrashId& id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  CrashId MakeCrash(SessionRecord* record, const CrashId& fresh, const CrashBytes& bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CloseAgain(SessionRecord* record, const CrashBytes& bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forget(const SessionId& id, const std::string& reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<SessionId> Expired(absl::Time now, int64_t limit,
                                 absl::FunctionRef<bool(const SessionRecord&)> wanted)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  std::map<SessionId, SessionRecord> sessions_ ABSL_GUARDED_BY(mutex_);
  std::map<std::pair<DeviceId, CrashUid>, SessionId> keys_ ABSL_GUARDED_BY(mutex_);
  std::map<CrashId, CrashRecord> crashes_ ABSL_GUARDED_BY(mutex_);
  std::map<CrashId, QueueEntry> queue_ ABSL_GUARDED_BY(mutex_);
  uint64_t offered_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, uint64_t> refused_ ABSL_GUARDED_BY(mutex_);                        // by reason
  std::map<std::string, uint64_t> expired_ ABSL_GUARDED_BY(mutex_);                        // by reason
  std::map<DeviceId, std::map<std::string, EpochLosses>> losses_ ABSL_GUARDED_BY(mutex_);  // by epoch
};

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_MEMORY_MEMORY_CRASH_INDEX_H_

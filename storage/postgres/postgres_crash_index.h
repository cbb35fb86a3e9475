#ifndef COREFLEET_STORAGE_POSTGRES_POSTGRES_CRASH_INDEX_H_
#define COREFLEET_STORAGE_POSTGRES_POSTGRES_CRASH_INDEX_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "storage/crash_index.h"

namespace corefleet {

struct PostgresCrashIndexOptions {
  int max_connections = 8;  // opened when needed, kept
  // So many operations of different uploads are gathered into one transaction, at most. 1 to 1000.
  size_t max_batch = 64;
  // The longest that one method may wait for the database in all; then UNAVAILABLE.
  absl::Duration timeout = absl::Seconds(5);
};

// The index in PostgreSQL 15 or newer. Replicas share nothing but the database. Thread-safe: every method is
// one transaction on a pooled connection, repeated a few times when it loses a race.
class PostgresCrashIndex final : public CrashIndex {
 public:
  // Connects and brings the schema up to date (under an advisory lock, so that replicas may start together).
  // `connection_string` is libpq's, either form.
  //   UNAVAILABLE          the database cannot be reached
  //   FAILED_PRECONDITION  the schema was made by a newer version
  static absl::StatusOr<std::unique_ptr<PostgresCrashIndex>> Open(const std::string& connection_string,
                                                                  PostgresCrashIndexOptions options = {});
  ~PostgresCrashIndex() override;

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

 private:
  class Impl;
  explicit PostgresCrashIndex(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_POSTGRES_POSTGRES_CRASH_INDEX_H_

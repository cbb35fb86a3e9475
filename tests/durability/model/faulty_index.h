#ifndef COREFLEET_TESTS_DURABILITY_MODEL_FAULTY_INDEX_H_
#define COREFLEET_TESTS_DURABILITY_MODEL_FAULTY_INDEX_H_

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "storage/crash_index.h"

namespace corefleet {

// What may go wrong with one call of a database.
enum class IndexFault {
  kNone,
  kUnavailable,  // not done
  kUnknown,      // done, and nobody knows: the connection broke in the commit
  kLate,         // UNAVAILABLE, and done a while later: the commit was still under way
};

// Another index with faults in front of it. One fault is armed at a time and hits the next call that writes;
// an outage hits every call. Not thread-safe.
class FaultyIndex final : public CrashIndex {
 public:
  // `is_dead` is asked before each call: a process that was killed calls nobody.
  FaultyIndex(CrashIndex* real, std::function<bool()> is_dead) : real_(real), is_dead_(std::move(is_dead)) {}

  void Arm(IndexFault fault) { armed_ = fault; }
  void SetOutage(bool out) {
    out_ = out;
    hit_ = false;
  }
  // As if there were no sessions and no packs, for whoever reconciles.
  void SetBlind(bool blind) { blind_ = blind; }
  // Lets every commit land that is still under way.
  void LandLateCommits();
  size_t late_commits() const { return late_.size(); }

  struct Faults {
    int unavailable = 0;  // an outage counts once, however many calls it hit
    int unknown = 0;
    int late = 0;
  };
  const Faults& faults() const { return faults_; }

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
  // Why a call that only reads fails, or OK.
  absl::Status Reading();
  // Runs a call that writes, or lets it fail as it is armed.
  template <typename Call>
  auto Write(Call call) -> decltype(call());

  CrashIndex* const real_;
  const std::function<bool()> is_dead_;
  IndexFault armed_ = IndexFault::kNone;
  bool out_ = false;
  bool hit_ = false;  // by this outage, somebody was
  bool blind_ = false;
  Faults faults_;
  std::deque<std::function<void()>> late_;
};

}  // namespace corefleet

#endif  // COREFLEET_TESTS_DURABILITY_MODEL_FAULTY_INDEX_H_

#include "tests/durability/model/faulty_index.h"

#include <utility>

#include "base/status_macros.h"

namespace corefleet {
namespace {

absl::Status Down() { return absl::UnavailableError("the database does not answer"); }

}  // namespace

void FaultyIndex::LandLateCommits() {
  while (!late_.empty()) {
    late_.front()();
    late_.pop_front();
  }
}

absl::Status FaultyIndex::Reading() {
  if (is_dead_()) return Down();
  if (!out_) return absl::OkStatus();
  if (!std::exchange(hit_, true)) ++faults_.unavailable;
  return Down();
}

template <typename Call>
auto FaultyIndex::Write(Call call) -> decltype(call()) {
  RETURN_IF_ERROR(Reading());
  const IndexFault fault = std::exchange(armed_, IndexFault::kNone);
  switch (fault) {
    case IndexFault::kNone:
      return call();
    case IndexFault::kUnavailable:
      ++faults_.unavailable;
      return Down();
    case IndexFault::kUnknown:
      ++faults_.unknown;
      (void)call();
      return absl::UnknownError("the connection broke in the commit");
    case IndexFault::kLate:
      ++faults_.late;
      late_.push_back([call] { (void)call(); });
      return Down();
  }
  return Down();
}

absl::Status FaultyIndex::Ping() { return Reading(); }

// Everything is copied into the calls: a late one outlives its caller.
absl::StatusOr<BeginResult> FaultyIndex::BeginSession(const DeviceId& device, const Manifest& manifest,
                                                      const std::string& note, const SessionTerms& terms,
                                                      const SessionId& fresh, absl::Time now,
                                                      absl::Time expires_at) {
  return Write(
      [=, this] { return real_->BeginSession(device, manifest, note, terms, fresh, now, expires_at); });
}

absl::StatusOr<std::optional<Session>> FaultyIndex::FindSession(const DeviceId& device, const CrashUid& uid) {
  RETURN_IF_ERROR(Reading());
  return real_->FindSession(device, uid);
}

absl::StatusOr<Session> FaultyIndex::ReopenSession(const SessionId& id, const SessionTerms& terms,
                                                   absl::Time expires_at) {
  return Write([=, this] { return real_->ReopenSession(id, terms, expires_at); });
}

absl::StatusOr<Session> FaultyIndex::GetSession(const SessionId& id) {
  RETURN_IF_ERROR(Reading());
  if (blind_) return absl::NotFoundError("no such session");
  return real_->GetSession(id);
}

absl::StatusOr<SessionWithPacks> FaultyIndex::GetSessionWithPacks(const SessionId& id) {
  RETURN_IF_ERROR(Reading());
  return real_->GetSessionWithPacks(id);
}

absl::Status FaultyIndex::AddPacks(const SessionId& id, absl::Span<const StoredPack> packs, absl::Time now,
                                   absl::Time expires_at) {
  return Write([=, this, kept = std::vector<StoredPack>(packs.begin(), packs.end())] {
    return real_->AddPacks(id, kept, now, expires_at);
  });
}

absl::StatusOr<std::vector<StoredPack>> FaultyIndex::SessionPacks(const SessionId& id) {
  RETURN_IF_ERROR(Reading());
  return real_->SessionPacks(id);
}

absl::Status FaultyIndex::DropPacks(const SessionId& id) {
  return Write([=, this] { return real_->DropPacks(id); });
}

absl::StatusOr<CrashId> FaultyIndex::FinishSession(const SessionId& id, const CrashId& fresh,
                                                   const CrashBytes& bytes) {
  return Write([=, this] { return real_->FinishSession(id, fresh, bytes); });
}

absl::Status FaultyIndex::FinishWithPacks(const SessionId& id, uint64_t pack_changes,
                                          absl::Span<const StoredPack> packs, const CrashId& fresh,
                                          const CrashBytes& bytes) {
  return Write([=, this, kept = std::vector<StoredPack>(packs.begin(), packs.end())] {
    return real_->FinishWithPacks(id, pack_changes, kept, fresh, bytes);
  });
}

absl::Status FaultyIndex::AbandonSession(const SessionId& id, const std::string& reason) {
  return Write([=, this] { return real_->AbandonSession(id, reason); });
}

absl::StatusOr<int64_t> FaultyIndex::ExpireSessions(absl::Time now, int64_t limit,
                                                    const std::string& reason) {
  return Write([=, this] { return real_->ExpireSessions(now, limit, reason); });
}

absl::StatusOr<std::vector<SessionKey>> FaultyIndex::OpenSessions(int64_t limit) {
  RETURN_IF_ERROR(Reading());
  return real_->OpenSessions(limit);
}

absl::StatusOr<std::vector<SessionId>> FaultyIndex::ExpiredWithPacks(absl::Time now, int64_t limit) {
  RETURN_IF_ERROR(Reading());
  return real_->ExpiredWithPacks(now, limit);
}

absl::Status FaultyIndex::AddRefusals(const std::vector<ReasonCount>& refused) {
  return Write([=, this] { return real_->AddRefusals(refused); });
}

absl::Status FaultyIndex::ReportLosses(const DeviceId& device, const std::string& epoch,
                                       const std::vector<ReasonCount>& lost, absl::Time now) {
  return Write([=, this] { return real_->ReportLosses(device, epoch, lost, now); });
}

absl::StatusOr<IngestAccount> FaultyIndex::Account() {
  RETURN_IF_ERROR(Reading());
  return real_->Account();
}

absl::StatusOr<std::vector<IndexedPack>> FaultyIndex::PacksUnder(const std::string& key) {
  RETURN_IF_ERROR(Reading());
  if (blind_) return std::vector<IndexedPack>();
  return real_->PacksUnder(key);
}

absl::StatusOr<std::vector<std::string>> FaultyIndex::PackKeys() {
  RETURN_IF_ERROR(Reading());
  return real_->PackKeys();
}

absl::StatusOr<int64_t> FaultyIndex::RequestLostAnalyses(absl::Time before, int64_t limit) {
  return Write([=, this] { return real_->RequestLostAnalyses(before, limit); });
}

absl::StatusOr<StoredCrash> FaultyIndex::GetCrash(const CrashId& id) {
  RETURN_IF_ERROR(Reading());
  return real_->GetCrash(id);
}

absl::StatusOr<CrashContents> FaultyIndex::Contents(const CrashId& id) {
  RETURN_IF_ERROR(Reading());
  return real_->Contents(id);
}

absl::StatusOr<std::vector<CrashId>> FaultyIndex::FindByPrefix(const std::string& prefix, int limit) {
  RETURN_IF_ERROR(Reading());
  return real_->FindByPrefix(prefix, limit);
}

absl::StatusOr<CrashPage> FaultyIndex::ListCrashes(const CrashFilter& filter, const CrashId& before,
                                                   int limit) {
  RETURN_IF_ERROR(Reading());
  return real_->ListCrashes(filter, before, limit);
}

absl::StatusOr<std::vector<CrashIndex::AnalysisLease>> FaultyIndex::ClaimAnalysis(int limit, absl::Time now,
                                                                                  absl::Time lease_until) {
  return Write([=, this] { return real_->ClaimAnalysis(limit, now, lease_until); });
}

absl::Status FaultyIndex::PutFacts(const CrashId& id, const CrashFacts& facts, uint32_t revision) {
  return Write([=, this] { return real_->PutFacts(id, facts, revision); });
}

absl::StatusOr<IndexStats> FaultyIndex::Stats(int max_builds) {
  RETURN_IF_ERROR(Reading());
  return real_->Stats(max_builds);
}

}  // namespace corefleet

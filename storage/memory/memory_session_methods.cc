// The sessions: begun, filled with packs, finished, forgotten.
#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "storage/crash_bytes.h"
#include "storage/memory/memory_crash_index.h"

namespace corefleet {

absl::StatusOr<BeginResult> MemoryCrashIndex::BeginSession(const DeviceId& device, const Manifest& manifest,
                                                           const std::string& note, const SessionTerms& terms,
                                                           const SessionId& fresh, absl::Time now,
                                                           absl::Time expires_at) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(status_);
  const CrashUid uid = UidOf(manifest);
  const auto [key, created] = keys_.emplace(std::make_pair(device, uid), fresh);
  Session& session = sessions_[key->second].session;
  if (created) {
    session = {.id = fresh,
               .device = device,
               .uid = uid,
               .expires_at = expires_at,
               .note = note,
               .manifest = manifest,
               .terms = terms};
    ++offered_;
  } else if (session.state == SessionState::kOpen && session.expires_at <= now) {
    session.expires_at = expires_at;
  }
  return BeginResult{session, created};
}

absl::StatusOr<Session> MemoryCrashIndex::GetSession(const SessionId& id) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(const SessionRecord* record, Lookup(id));
  return record->session;
}

absl::StatusOr<std::optional<Session>> MemoryCrashIndex::FindSession(const DeviceId& device,
                                                                     const CrashUid& uid) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(status_);
  const auto key = keys_.find({device, uid});
  if (key == keys_.end()) return std::optional<Session>();
  return std::optional<Session>(sessions_.at(key->second).session);
}

absl::StatusOr<Session> MemoryCrashIndex::ReopenSession(const SessionId& id, const SessionTerms& terms,
                                                        absl::Time expires_at) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(SessionRecord * record, Lookup(id));
  Session& session = record->session;
  if (session.state == SessionState::kComplete) record->kept = record->packs.size();
  session.state = SessionState::kOpen;
  session.terms = terms;
  session.expires_at = expires_at;
  return session;
}

absl::StatusOr<SessionWithPacks> MemoryCrashIndex::GetSessionWithPacks(const SessionId& id) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(const SessionRecord* record, Lookup(id));
  return SessionWithPacks{record->session, record->packs};
}

absl::Status MemoryCrashIndex::AddPacks(const SessionId& id, absl::Span<const StoredPack> packs,
                                        absl::Time now, absl::Time expires_at) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(SessionRecord * record, LookupOpen(id));
  for (const StoredPack& pack : packs) {
    const bool known = std::any_of(record->packs.begin(), record->packs.end(),
                                   [&](const StoredPack& have) { return have.ref == pack.ref; });
    if (!known) record->packs.push_back(pack);
  }
  record->session.pack_changes += packs.size();
  absl::Time& expiry = record->session.expires_at;
  if (expiry < expires_at && expiry < now + (expires_at - now) / 2) expiry = expires_at;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<StoredPack>> MemoryCrashIndex::SessionPacks(const SessionId& id) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(const SessionRecord* record, Lookup(id));
  return record->packs;
}

absl::Status MemoryCrashIndex::DropPacks(const SessionId& id) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(SessionRecord * record, LookupOpen(id));
  record->packs.resize(record->session.crash.empty() ? 0 : record->kept);
  ++record->session.pack_changes;
  return absl::OkStatus();
}

absl::StatusOr<CrashId> MemoryCrashIndex::FinishSession(const SessionId& id, const CrashId& fresh,
                                                        const CrashBytes& bytes) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(SessionRecord * record, Lookup(id));
  if (record->session.state == SessionState::kComplete) return record->session.crash;
  if (record->session.crash.empty()) return MakeCrash(record, fresh, bytes);
  CloseAgain(record, bytes);
  return record->session.crash;
}

absl::Status MemoryCrashIndex::FinishWithPacks(const SessionId& id, uint64_t pack_changes,
                                               absl::Span<const StoredPack> packs, const CrashId& fresh,
                                               const CrashBytes& bytes) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(SessionRecord * record, Lookup(id));
  Session& session = record->session;
  if (session.state == SessionState::kComplete && session.crash == fresh) return absl::OkStatus();
  const bool as_known = session.state == SessionState::kOpen && session.pack_changes == pack_changes;
  if (!as_known || !session.crash.empty()) {
    return absl::FailedPreconditionError(absl::StrCat("session ", id.value(), " has changed"));
  }
  record->packs.insert(record->packs.end(), packs.begin(), packs.end());
  session.pack_changes += packs.size();
  MakeCrash(record, fresh, bytes);
  return absl::OkStatus();
}

CrashId MemoryCrashIndex::MakeCrash(SessionRecord* record, const CrashId& fresh, const CrashBytes& bytes) {
  Session& session = record->session;
  session.state = SessionState::kComplete;
  session.crash = fresh;
  StoredCrash crash{.id = fresh,
                    .device = session.device,
                    .received_at = fresh.time(),
                    .note = session.note,
                    .raw_bytes = bytes.raw,
                    .here_bytes = bytes.here,
                    .stored_bytes = bytes.stored,
                    .want = session.terms.want,
                    .rule = session.terms.rule,
                    .weight = session.terms.weight,
                    .os_version = session.terms.hints.os_version,
                    .source = session.terms.hints.source,
                    .captured_at = session.terms.hints.captured_at};
  crashes_[fresh] = {std::move(crash), session.id};
  queue_[fresh] = {};
  return fresh;
}

void MemoryCrashIndex::CloseAgain(SessionRecord* record, const CrashBytes& bytes) {
  record->session.state = SessionState::kComplete;
  StoredCrash& crash = crashes_.at(record->session.crash).crash;
  crash.raw_bytes = bytes.raw;
  crash.here_bytes = bytes.here;
  crash.stored_bytes = bytes.stored;
  crash.want = record->session.terms.want;
  crash.rule = record->session.terms.rule;
  crash.weight = record->session.terms.weight;
  ++crash.revision;
  queue_[crash.id] = {};
}

absl::Status MemoryCrashIndex::AbandonSession(const SessionId& id, const std::string& reason) {
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<SessionRecord*> record = LookupOpen(id);
  if (absl::IsNotFound(record.status())) return absl::OkStatus();
  RETURN_IF_ERROR(record.status());
  if ((*record)->session.crash.empty()) {
    Forget(id, reason);
  } else {
    CloseAgain(*record, SizeOf((*record)->session.manifest, (*record)->packs));
  }
  return absl::OkStatus();
}

void MemoryCrashIndex::Forget(const SessionId& id, const std::string& reason) {
  const auto it = sessions_.find(id);
  keys_.erase({it->second.session.device, it->second.session.uid});
  sessions_.erase(it);
  ++expired_[reason];
}

// Open sessions that expired and that are wanted, the first to expire first.
std::vector<SessionId> MemoryCrashIndex::Expired(absl::Time now, int64_t limit,
                                                 absl::FunctionRef<bool(const SessionRecord&)> wanted) {
  std::vector<std::pair<absl::Time, SessionId>> expired;
  for (const auto& [id, record] : sessions_) {
    const Session& session = record.session;
    if (session.state == SessionState::kOpen && session.expires_at < now && wanted(record)) {
      expired.emplace_back(session.expires_at, id);
    }
  }
  std::sort(expired.begin(), expired.end());
  if (static_cast<int64_t>(expired.size()) > limit) expired.resize(std::max<int64_t>(0, limit));
  std::vector<SessionId> ids;
  for (const auto& [expires_at, id] : expired) ids.push_back(id);
  return ids;
}

absl::StatusOr<int64_t> MemoryCrashIndex::ExpireSessions(absl::Time now, int64_t limit,
                                                         const std::string& reason) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(status_);
  const auto reopened = [](const SessionRecord& record) { return !record.session.crash.empty(); };
  for (const SessionId& id : Expired(now, limit, reopened)) {
    SessionRecord& record = sessions_.at(id);
    CloseAgain(&record, SizeOf(record.session.manifest, record.packs));
  }
  const auto empty = [](const SessionRecord& record) {
    return record.session.crash.empty() && record.packs.empty();
  };
  const std::vector<SessionId> gone = Expired(now, limit, empty);
  for (const SessionId& id : gone) Forget(id, reason);
  return static_cast<int64_t>(gone.size());
}

absl::StatusOr<std::vector<SessionKey>> MemoryCrashIndex::OpenSessions(int64_t limit) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(status_);
  std::vector<const Session*> open;
  for (const auto& [id, record] : sessions_) {
    if (record.session.state == SessionState::kOpen) open.push_back(&record.session);
  }
  std::stable_sort(open.begin(), open.end(),
                   [](const Session* a, const Session* b) { return a->expires_at > b->expires_at; });
  open.resize(std::min<size_t>(open.size(), std::max<int64_t>(0, limit)));
  std::vector<SessionKey> keys;
  for (const Session* session : open) keys.push_back({session->device, session->uid});
  return keys;
}

absl::StatusOr<std::vector<SessionId>> MemoryCrashIndex::ExpiredWithPacks(absl::Time now, int64_t limit) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(status_);
  return Expired(now, limit, [](const SessionRecord& record) {
    return record.session.crash.empty() && !record.packs.empty();
  });
}

}  // namespace corefleet

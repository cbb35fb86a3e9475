// The sessions of the index: how an upload becomes a crash.
#include <algorithm>
#include <pqxx/pqxx>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "storage/crash_bytes.h"
#include "storage/postgres/hints_json.h"
#include "storage/postgres/index_impl.h"
#include "storage/postgres/partitions.h"
#include "storage/postgres/row_values.h"
#include "storage/postgres/statements.h"

namespace corefleet {
namespace {

absl::Status Complete(const SessionId& id) {
  return absl::FailedPreconditionError(absl::StrCat("session ", id.value(), " is complete"));
}

// The answer of a statement that works on open sessions only: one row with the state, or none.
absl::Status CheckOpen(const SessionId& id, const pqxx::result& rows) {
  if (rows.empty()) return NoSession(id);
  if (rows[0][0].as<int>() != static_cast<int>(SessionState::kOpen)) return Complete(id);
  return absl::OkStatus();
}

// The crash of a session that was reopened and is complete now; none if it was not reopened.
absl::StatusOr<CrashId> FinishAgain(pqxx::transaction_base& transaction, const SessionId& id,
                                    const CrashBytes& bytes) {
  const pqxx::result finished = transaction.exec_prepared(sql::kFinishAgain, id.value(), ToBigint(bytes.raw),
                                                          ToBigint(bytes.stored), ToBigint(bytes.here));
  if (finished.empty()) return CrashId();
  return CrashId::FromUuid(finished[0][0].as<std::string>());
}

// Closes a reopened session as it is, under its lock.
absl::Status CloseReopened(pqxx::transaction_base& transaction, const SessionId& id) {
  if (transaction.exec_prepared(sql::kLockReopened, id.value()).empty()) return absl::OkStatus();
  const pqxx::result rows = transaction.exec_prepared(sql::kGetSessionWithPacks, id.value());
  ASSIGN_OR_RETURN(const Session session, SessionFromRow(rows[0], kPackColumns));
  ASSIGN_OR_RETURN(const std::vector<StoredPack> packs, PacksFromRows(rows));
  return FinishAgain(transaction, id, SizeOf(session.manifest, packs)).status();
}

// What BeginSession gives for a session that was made.
BeginResult Made(const BeginOp& op, const Manifest& manifest, const SessionTerms& terms) {
  return {.session = {.id = op.id,
                      .device = op.device,
                      .uid = op.uid,
                      .expires_at = op.expires_at,
                      .note = op.note,
                      .manifest = manifest,
                      .terms = terms},
          .created = true};
}

std::vector<PackRow> RowsOf(const SessionId& id, absl::Span<const StoredPack> packs) {
  std::vector<PackRow> rows;
  for (const StoredPack& pack : packs) rows.push_back({pack.ref, EncodePackIndex(id.value(), pack.entries)});
  return rows;
}

std::vector<SessionId> IdsFromRows(const pqxx::result& rows) {
  std::vector<SessionId> ids;
  for (const pqxx::row& row : rows) ids.emplace_back(row[0].as<std::string>());
  return ids;
}

}  // namespace

absl::Status PostgresCrashIndex::Impl::BeginOnce(pqxx::transaction_base& transaction, const DeviceId& device,
                                                 const Manifest& manifest, const std::string& note,
                                                 const SessionTerms& terms, const SessionId& fresh,
                                                 absl::Time now, absl::Time expires_at, BeginResult* result) {
  const CrashUid uid = UidOf(manifest);
  const pqxx::result begun = transaction.exec_prepared(
      sql::kBeginSession, fresh.value(), device.value(), uid.value(), ToTimestamp(expires_at), ToText(note),
      ToBytea(Encode(manifest)), static_cast<int>(terms.want), ToText(terms.rule),
      static_cast<int64_t>(terms.weight), EncodeHints(terms.hints));
  if (begun.empty()) return absl::AbortedError("the session was begun or ended by somebody else just now");
  const std::string id = begun[0][0].as<std::string>();
  result->created = begun[0][1].as<bool>();
  if (result->created) {
    result->session = {.id = fresh,
                       .device = device,
                       .uid = uid,
                       .expires_at = expires_at,
                       .note = ToText(note),
                       .manifest = manifest,
                       .terms = terms};
    return absl::OkStatus();
  }
  transaction.exec_prepared0(sql::kExtendSession, id, ToTimestamp(now), ToTimestamp(expires_at));
  const pqxx::result row = transaction.exec_prepared(sql::kGetSession, id);
  if (row.empty()) return absl::AbortedError("the session was abandoned just now");
  ASSIGN_OR_RETURN(result->session, SessionFromRow(row[0]));
  return absl::OkStatus();
}

absl::StatusOr<CrashId> PostgresCrashIndex::Impl::FinishOnce(const SessionId& id, const CrashId& fresh,
                                                             const CrashBytes& bytes) {
  RETURN_IF_ERROR(EnsureMonth(MonthOf(fresh.time())));
  FinishOp op{.session = id, .crash = fresh, .size = bytes};
  Finish(&op);
  RETURN_IF_ERROR(op.status);
  if (op.settled) return fresh;
  CrashId crash = fresh;
  RETURN_IF_ERROR(Alone([&](pqxx::transaction_base& transaction) -> absl::Status {
    const pqxx::result finished = transaction.exec_prepared(
        sql::kFinishSession, id.value(), fresh.ToUuid(), fresh.ToString(), ToTimestamp(fresh.time()),
        ToBigint(bytes.raw), ToBigint(bytes.stored), ToBigint(bytes.here));
    if (!finished.empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(crash, FinishAgain(transaction, id, bytes));
    if (!crash.empty()) return absl::OkStatus();
    const pqxx::result end = transaction.exec_prepared(sql::kSessionEnd, id.value());
    if (end.empty()) return NoSession(id);
    const bool open = end[0][0].as<int>() == static_cast<int>(SessionState::kOpen);
    if (open || end[0][1].is_null()) return absl::AbortedError("the session was begun anew just now");
    ASSIGN_OR_RETURN(crash, CrashId::FromUuid(end[0][1].as<std::string>()));
    return absl::OkStatus();
  }));
  return crash;
}

absl::StatusOr<BeginResult> PostgresCrashIndex::BeginSession(const DeviceId& device, const Manifest& manifest,
                                                             const std::string& note,
                                                             const SessionTerms& terms,
                                                             const SessionId& fresh, absl::Time now,
                                                             absl::Time expires_at) {
  BeginOp op{.id = fresh,
             .device = device,
             .uid = UidOf(manifest),
             .expires_at = expires_at,
             .note = ToText(note),
             .manifest = Encode(manifest),
             .want = terms.want,
             .rule = ToText(terms.rule),
             .weight = terms.weight,
             .hints = EncodeHints(terms.hints)};
  impl_->Begin(&op);
  RETURN_IF_ERROR(op.status);
  if (op.settled) return Made(op, manifest, terms);
  BeginResult result;
  RETURN_IF_ERROR(impl_->Alone([&](pqxx::transaction_base& transaction) {
    return impl_->BeginOnce(transaction, device, manifest, note, terms, fresh, now, expires_at, &result);
  }));
  return result;
}

absl::StatusOr<std::optional<Session>> PostgresCrashIndex::FindSession(const DeviceId& device,
                                                                       const CrashUid& uid) {
  std::optional<Session> found;
  RETURN_IF_ERROR(impl_->Alone([&](pqxx::transaction_base& transaction) -> absl::Status {
    found.reset();
    const pqxx::result rows = transaction.exec_prepared(sql::kFindSession, device.value(), uid.value());
    if (rows.empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(found, SessionFromRow(rows[0]));
    return absl::OkStatus();
  }));
  return found;
}

absl::StatusOr<Session> PostgresCrashIndex::ReopenSession(const SessionId& id, const SessionTerms& terms,
                                                          absl::Time expires_at) {
  absl::StatusOr<Session> session;
  RETURN_IF_ERROR(impl_->InTransaction([&](pqxx::transaction_base& transaction) {
    const pqxx::result opened = transaction.exec_prepared(
        sql::kReopenSession, id.value(), ToTimestamp(expires_at), static_cast<int>(terms.want),
        ToText(terms.rule), static_cast<int64_t>(terms.weight), EncodeHints(terms.hints));
    if (opened.empty()) return NoSession(id);
    session = SessionFromRow(transaction.exec_prepared1(sql::kGetSession, id.value()));
    return session.status();
  }));
  return session;
}

absl::StatusOr<Session> PostgresCrashIndex::GetSession(const SessionId& id) {
  absl::StatusOr<Session> session;
  RETURN_IF_ERROR(impl_->Alone([&](pqxx::transaction_base& transaction) {
    const pqxx::result rows = transaction.exec_prepared(sql::kGetSession, id.value());
    if (rows.empty()) return NoSession(id);
    session = SessionFromRow(rows[0]);
    return session.status();
  }));
  return session;
}

absl::StatusOr<SessionWithPacks> PostgresCrashIndex::GetSessionWithPacks(const SessionId& id) {
  SessionWithPacks found;
  RETURN_IF_ERROR(impl_->Alone([&](pqxx::transaction_base& transaction) -> absl::Status {
    const pqxx::result rows = transaction.exec_prepared(sql::kGetSessionWithPacks, id.value());
    if (rows.empty()) return NoSession(id);
    ASSIGN_OR_RETURN(found.session, SessionFromRow(rows[0], kPackColumns));
    ASSIGN_OR_RETURN(found.packs, PacksFromRows(rows));
    return absl::OkStatus();
  }));
  return found;
}

absl::Status PostgresCrashIndex::AddPacks(const SessionId& id, absl::Span<const StoredPack> packs,
                                          absl::Time now, absl::Time expires_at) {
  if (packs.empty()) return absl::OkStatus();
  AddPacksOp op{.session = id,
                .packs = RowsOf(id, packs),
                .expires_at = expires_at,
                .extend_before = now + (expires_at - now) / 2};
  impl_->AddPacks(&op);
  if (op.settled || !op.status.ok()) return op.status;
  return impl_->Alone([&](pqxx::transaction_base& transaction) -> absl::Status {
    AddAll(transaction, {&op});
    if (op.settled) return absl::OkStatus();
    RETURN_IF_ERROR(CheckOpen(id, transaction.exec_prepared(sql::kSessionEnd, id.value())));
    return absl::AbortedError("the session was begun anew just now");
  });
}

absl::StatusOr<std::vector<StoredPack>> PostgresCrashIndex::SessionPacks(const SessionId& id) {
  absl::StatusOr<std::vector<StoredPack>> packs;
  RETURN_IF_ERROR(impl_->Alone([&](pqxx::transaction_base& transaction) {
    const pqxx::result rows = transaction.exec_prepared(sql::kSessionPacks, id.value());
    if (rows.empty()) return NoSession(id);
    packs = PacksFromRows(rows);
    return packs.status();
  }));
  return packs;
}

absl::Status PostgresCrashIndex::DropPacks(const SessionId& id) {
  return impl_->Alone([&](pqxx::transaction_base& transaction) {
    return CheckOpen(id, transaction.exec_prepared(sql::kDropPacks, id.value()));
  });
}

absl::StatusOr<CrashId> PostgresCrashIndex::FinishSession(const SessionId& id, const CrashId& fresh,
                                                          const CrashBytes& bytes) {
  absl::StatusOr<CrashId> crash = impl_->FinishOnce(id, fresh, bytes);
  // A check violation: no partition takes the row. Retention in another process may have dropped the month.
  if (!absl::IsFailedPrecondition(crash.status())) return crash;
  impl_->ForgetMonths();
  return impl_->FinishOnce(id, fresh, bytes);
}

absl::Status PostgresCrashIndex::FinishWithPacks(const SessionId& id, uint64_t pack_changes,
                                                 absl::Span<const StoredPack> packs, const CrashId& fresh,
                                                 const CrashBytes& bytes) {
  RETURN_IF_ERROR(impl_->EnsureMonth(MonthOf(fresh.time())));
  LastPacksOp op{
      .session = id, .pack_changes = pack_changes, .packs = RowsOf(id, packs), .crash = fresh, .size = bytes};
  impl_->FinishWithPacks(&op);
  if (op.settled || !op.status.ok()) return op.status;
  return impl_->Alone([&](pqxx::transaction_base& transaction) -> absl::Status {
    FinishAllWithPacks(transaction, {&op});
    if (op.settled) return absl::OkStatus();
    const pqxx::result end = transaction.exec_prepared(sql::kSessionEnd, id.value());
    if (end.empty()) return NoSession(id);
    // A commit whose outcome was not known has happened.
    const bool complete = end[0][0].as<int>() == static_cast<int>(SessionState::kComplete);
    if (complete && end[0][1].as<std::string>() == fresh.ToUuid()) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat("session ", id.value(), " has changed"));
  });
}

absl::Status PostgresCrashIndex::AbandonSession(const SessionId& id, const std::string& reason) {
  return impl_->InTransaction([&](pqxx::transaction_base& transaction) -> absl::Status {
    const pqxx::result rows = transaction.exec_prepared(sql::kLockSession, id.value());
    if (rows.empty()) return absl::OkStatus();
    RETURN_IF_ERROR(CheckOpen(id, rows));
    if (!rows[0][1].is_null()) return CloseReopened(transaction, id);
    transaction.exec_prepared0(sql::kForgetSession, id.value(), ToText(reason));
    return absl::OkStatus();
  });
}

absl::StatusOr<int64_t> PostgresCrashIndex::ExpireSessions(absl::Time now, int64_t limit,
                                                           const std::string& reason) {
  limit = std::max<int64_t>(0, limit);
  RETURN_IF_ERROR(impl_->CloseExpired(now, limit));
  int64_t gone = 0;
  RETURN_IF_ERROR(impl_->InTransaction([&](pqxx::transaction_base& transaction) {
    gone = 0;
    std::vector<std::string> ids;
    for (const pqxx::row& row : transaction.exec_prepared(sql::kLockExpired, ToTimestamp(now), limit)) {
      ids.push_back(row[0].as<std::string>());
    }
    if (ids.empty()) return absl::OkStatus();
    const pqxx::row row = transaction.exec_prepared1(sql::kForgetEmpty, TextArray(ids), ToText(reason));
    gone = row[0].as<int64_t>();
    return absl::OkStatus();
  }));
  return gone;
}

absl::Status PostgresCrashIndex::Impl::CloseExpired(absl::Time now, int64_t limit) {
  std::vector<SessionId> reopened;
  RETURN_IF_ERROR(Alone([&](pqxx::transaction_base& transaction) {
    reopened = IdsFromRows(transaction.exec_prepared(sql::kExpiredReopened, ToTimestamp(now), limit));
    return absl::OkStatus();
  }));
  // One transaction each: all of a session's packs are read.
  for (const SessionId& id : reopened) {
    RETURN_IF_ERROR(
        InTransaction([&](pqxx::transaction_base& transaction) { return CloseReopened(transaction, id); }));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<SessionKey>> PostgresCrashIndex::OpenSessions(int64_t limit) {
  std::vector<SessionKey> keys;
  RETURN_IF_ERROR(impl_->Alone([&](pqxx::transaction_base& transaction) {
    keys.clear();
    for (const pqxx::row& row : transaction.exec_prepared(sql::kOpenSessions, std::max<int64_t>(0, limit))) {
      keys.push_back({DeviceId(row[0].as<std::string>()), CrashUid(row[1].as<std::string>())});
    }
    return absl::OkStatus();
  }));
  return keys;
}

absl::StatusOr<std::vector<SessionId>> PostgresCrashIndex::ExpiredWithPacks(absl::Time now, int64_t limit) {
  std::vector<SessionId> ids;
  RETURN_IF_ERROR(impl_->Alone([&](pqxx::transaction_base& transaction) {
    ids = IdsFromRows(
        transaction.exec_prepared(sql::kExpiredWithPacks, ToTimestamp(now), std::max<int64_t>(0, limit)));
    return absl::OkStatus();
  }));
  return ids;
}

}  // namespace corefleet

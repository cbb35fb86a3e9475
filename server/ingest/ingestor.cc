#include "server/ingest/ingestor.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "core/bytes/escape.h"
#include "server/ingest/unguessable.h"

namespace corefleet {
namespace {

// What is no session id cannot name a session; it never reaches the database.
absl::StatusOr<SessionId> ParseSession(absl::string_view text) {
  if (!IsSessionId(text)) return absl::NotFoundError("no such session");
  return SessionId(std::string(text));
}

std::string Describe(const std::vector<ChunkRange>& missing) {
  uint64_t chunks = 0;
  for (const ChunkRange& range : missing) chunks += range.count;
  return absl::StrCat(chunks, " chunks are not durable yet, the first is region ", missing.front().region,
                      " chunk ", missing.front().first);
}

BeginOutcome OutcomeOf(const absl::StatusOr<SessionStatus>& result) {
  if (!result.ok()) return RefusedBy(result.status()) ? BeginOutcome::kRefused : BeginOutcome::kFailed;
  if (result->state == SessionState::kComplete) return BeginOutcome::kComplete;
  return result->created ? BeginOutcome::kNew : BeginOutcome::kResuming;
}

absl::Status Refuse(RefusalReason reason, absl::string_view why) {
  return RefusedStatus({.reason = reason, .message = std::string(why)});
}

LogShare LogShareOf(const ChunkLedger& ledger, const Manifest& manifest) {
  return {.part = LogPartOf(manifest),
          .to_bring = BytesIn(MissingOf(ledger, manifest, SessionWant::kLogOnly), manifest)};
}

AskingCrash Asking(const DeviceId& device, const CrashUid& uid, const CrashOffer& offer) {
  return {.device = &device, .uid = &uid, .hints = &offer.hints, .bytes = RawBytes(offer.manifest)};
}

void SayTerms(const SessionTerms& terms, SessionStatus* status) {
  status->want = terms.want == SessionWant::kLogOnly ? Want::kLogOnly : Want::kAll;
  status->rule = terms.rule;
  status->weight = terms.weight;
}

}  // namespace

Ingestor::Ingestor(Dependencies deps, const IngestLimits& limits)
    : deps_(std::move(deps)), limits_(limits), budget_(limits.held_bytes) {}

absl::StatusOr<SessionStatus> Ingestor::Begin(const DeviceCaller& caller, const CrashOffer& offer) {
  auto result = Answer(caller, offer);
  deps_.metrics->SessionBegun(OutcomeOf(result));
  return result;
}

absl::Status Ingestor::Recall() {
  ASSIGN_OR_RETURN(const std::vector<SessionKey> open,
                   deps_.index->OpenSessions(static_cast<int64_t>(known_.capacity())));
  // Those that are forgotten first when there are more are those that would expire first.
  for (auto key = open.rbegin(); key != open.rend(); ++key) known_.Add(key->device, key->uid);
  return absl::OkStatus();
}

std::optional<absl::Status> Ingestor::RefuseAtOnce(const DeviceCaller& caller, const CrashOffer& offer) {
  if (!busy()) return std::nullopt;
  // What breaks a rule hears that, however busy the server is: it need not come back.
  const absl::StatusOr<DeviceId> device = Check(caller, offer);
  if (!device.ok()) return std::nullopt;
  const CrashUid uid = UidOf(offer.manifest);
  if (known_.Has(*device, uid)) return std::nullopt;
  AskingCrash asking = Asking(*device, uid, offer);
  const ChunkLedger nothing;
  asking.all_to_bring = asking.bytes;
  asking.log = [&] { return LogShareOf(nothing, offer.manifest); };
  const auto refused = deps_.admission->RefuseAtOnce(asking);
  if (!refused) return std::nullopt;
  if (deps_.refusals != nullptr) deps_.refusals->Count(refused->reason);
  deps_.metrics->SessionBegun(BeginOutcome::kRefused);
  return RefusedStatus(*refused);
}

absl::StatusOr<SessionStatus> Ingestor::Answer(const DeviceCaller& caller, const CrashOffer& offer) {
  const auto counted = [this](const absl::Status& status) {
    if (const auto refused = RefusedBy(status); refused && deps_.refusals != nullptr) {
      deps_.refusals->Count(refused->reason);
    }
    return status;
  };
  const absl::StatusOr<DeviceId> device = Check(caller, offer);
  if (!device.ok()) return counted(device.status());
  if (offer.account) TakeAccount(*device, *offer.account);
  const CrashUid uid = UidOf(offer.manifest);
  ASSIGN_OR_RETURN(std::optional<Session> found, FindSession(*device, uid));
  if (!found) {
    auto opened = Open(*device, uid, offer);
    if (!opened.ok()) return counted(opened.status());
    return opened;
  }
  known_.Add(*device, uid);
  if (found->state == SessionState::kOpen) return Resume(*std::move(found), offer);
  return AskForRest(*found, uid, offer);
}

absl::StatusOr<DeviceId> Ingestor::Check(const DeviceCaller& caller, const CrashOffer& offer) const {
  auto device = caller.Speaking(offer.device);
  if (absl::IsPermissionDenied(device.status())) {
    return Refuse(RefusalReason::kWrongDevice, device.status().message());
  }
  if (!device.ok()) return Refuse(RefusalReason::kMalformed, device.status().message());
  const absl::Status announced = CheckAnnouncement(offer.manifest, offer.note);
  if (!announced.ok()) return Refuse(RefusalReason::kMalformed, announced.message());
  if (RawBytes(offer.manifest) > limits_.crash_bytes) {
    return Refuse(RefusalReason::kCrashTooLarge, absl::StrCat("a crash of ", RawBytes(offer.manifest),
                                                              " bytes is larger than ", limits_.crash_bytes));
  }
  return device;
}

absl::Status Ingestor::CheckAnnouncement(const Manifest& manifest, const std::string& note) const {
  if (note.size() > limits_.note_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("a note of ", note.size(), " bytes is longer than ", limits_.note_bytes));
  }
  if (Utf8OrHex(note) != note) return absl::InvalidArgumentError("the note is not UTF-8");
  RETURN_IF_ERROR(Validate(manifest));
  const Sha256Digest nothing = RegionRoot().Finish();
  for (size_t i = 0; i < manifest.regions.size(); ++i) {
    if (manifest.regions[i].size == 0 && manifest.regions[i].root != nothing) {
      return absl::InvalidArgumentError(
          absl::StrCat("region ", i, " is empty and has the root of something"));
    }
  }
  return absl::OkStatus();
}

// Counts only ever grow: a report that is left out is made up for by the next one.
void Ingestor::TakeAccount(const DeviceId& device, const DeviceAccount& account) {
  if (deps_.admission == nullptr || !IsValidEpoch(account.epoch)) return;
  const std::vector<ReasonCount> losses = KnownLosses(account);
  if (losses.empty() || !deps_.admission->TakesAccount(device, FingerprintOf(account))) return;
  const absl::Status taken = deps_.index->ReportLosses(device, account.epoch, losses, deps_.clock->Now());
  if (taken.ok()) return;
  Log(LogLevel::kWarning, "a device's account is not taken", {{"why", taken.ToString()}});
}

absl::StatusOr<std::optional<Session>> Ingestor::FindSession(const DeviceId& device, const CrashUid& uid) {
  const absl::Time asked = deps_.clock->Now();
  auto found = deps_.index->FindSession(device, uid);
  const absl::Time answered = deps_.clock->Now();
  if (deps_.admission != nullptr) {
    deps_.admission->database()->Answered(answered - asked, answered);
    deps_.admission->in_flight()->Took(ServerPart::kIndex, answered - asked, answered);
  }
  return found;
}

absl::StatusOr<Grant> Ingestor::Decide(const AskingCrash& crash, const SessionId& session) {
  if (deps_.admission == nullptr) return Grant{.terms = {.hints = *crash.hints}};
  return deps_.admission->Decide(crash, session, deps_.store->FreeBytes());
}

absl::StatusOr<SessionStatus> Ingestor::Open(const DeviceId& device, const CrashUid& uid,
                                             const CrashOffer& offer) {
  AskingCrash asking = Asking(device, uid, offer);
  const ChunkLedger nothing;
  asking.all_to_bring = asking.bytes;
  asking.log = [&] { return LogShareOf(nothing, offer.manifest); };
  const SessionId fresh = NewSessionId();
  ASSIGN_OR_RETURN(const Grant grant, Decide(asking, fresh));
  const auto begun = BeginSession(device, offer, grant.terms, fresh);
  if (!begun.ok() || !begun->created) EndInFlight(fresh);
  RETURN_IF_ERROR(begun.status());
  known_.Add(device, uid);
  // Another call of the same device was faster.
  if (!begun->created) return Resume(begun->session, offer);
  ASSIGN_OR_RETURN(SessionStatus status, StatusOf(begun->session, /*created=*/true));
  begun_.Put(begun->session, deps_.clock->Now());
  status.ask_again = grant.ask_again;
  return status;
}

absl::StatusOr<BeginResult> Ingestor::BeginSession(const DeviceId& device, const CrashOffer& offer,
                                                   const SessionTerms& terms, const SessionId& fresh) {
  const absl::Time now = deps_.clock->Now();
  return deps_.index->BeginSession(device, offer.manifest, offer.note, terms, fresh, now,
                                   now + limits_.session_ttl);
}

absl::StatusOr<SessionStatus> Ingestor::Resume(Session session, const CrashOffer& offer) {
  bool created = false;
  // Chunks that came under other numbers are no use. A crash that is stored keeps its numbers.
  const bool renumbered = session.manifest != offer.manifest;
  if (renumbered && !session.crash.empty()) {
    return absl::AbortedError("this crash was announced in another order, and its rest is under way");
  }
  if (renumbered) RETURN_IF_ERROR(deps_.index->AbandonSession(session.id, kAbandoned));
  if (renumbered || session.expires_at <= deps_.clock->Now()) {
    ASSIGN_OR_RETURN(BeginResult begun, BeginSession(session.device, offer, session.terms, NewSessionId()));
    session = std::move(begun.session);
    created = begun.created;
    // Two uploads of one crash that order its regions differently take turns at throwing each other out.
    if (session.manifest != offer.manifest)
      return absl::AbortedError("another upload of this crash is under way");
  }
  ASSIGN_OR_RETURN(SessionStatus status, StatusOf(session, created));
  Expect(status, session);
  return status;
}

absl::StatusOr<SessionStatus> Ingestor::AskForRest(const Session& session, const CrashUid& uid,
                                                   const CrashOffer& offer) {
  ASSIGN_OR_RETURN(const std::vector<StoredPack> packs, deps_.index->SessionPacks(session.id));
  const ChunkLedger ledger(packs);
  SessionStatus stored{.session = session.id,
                       .state = SessionState::kComplete,
                       .crash = session.crash,
                       .expires_at = session.expires_at,
                       .want = Want::kNone,
                       .rule = session.terms.rule,
                       .weight = session.terms.weight};
  const std::vector<ChunkRange> all = ledger.Missing(session.manifest);
  if (all.empty() || session.manifest != offer.manifest) return stored;
  AskingCrash asking = Asking(session.device, uid, offer);
  asking.stored = true;
  asking.all_to_bring = BytesIn(all, session.manifest);
  asking.log = [&] { return LogShareOf(ledger, session.manifest); };
  const auto grant = Decide(asking, session.id);
  // Not wanted by now: what is here is here.
  if (absl::IsPermissionDenied(grant.status())) return stored;
  RETURN_IF_ERROR(grant.status());
  if (MissingOf(ledger, session.manifest, grant->terms.want).empty()) {
    stored.want = Want::kLogOnly;
    stored.ask_again = grant->ask_again;
    return stored;
  }
  ASSIGN_OR_RETURN(
      const Session reopened,
      deps_.index->ReopenSession(session.id, grant->terms, deps_.clock->Now() + limits_.session_ttl));
  ASSIGN_OR_RETURN(SessionStatus status, StatusOf(reopened, /*created=*/false));
  status.ask_again = grant->ask_again;
  return status;
}

absl::StatusOr<Session> Ingestor::Find(const DeviceCaller& caller, absl::string_view session) {
  ASSIGN_OR_RETURN(const SessionId id, ParseSession(session));
  ASSIGN_OR_RETURN(Session found, deps_.index->GetSession(id));
  if (!caller.MayAct(found.device)) return absl::NotFoundError("no such session");
  return found;
}

absl::StatusOr<SessionStatus> Ingestor::StatusOf(const Session& session, bool created) {
  SessionStatus status{.session = session.id,
                       .created = created,
                       .state = session.state,
                       .crash = session.crash,
                       .expires_at = session.expires_at};
  SayTerms(session.terms, &status);
  if (session.state == SessionState::kComplete) {
    status.want = Want::kNone;
    return status;
  }
  if (status.want == Want::kLogOnly && deps_.admission != nullptr) {
    status.ask_again = deps_.admission->AskAgainOf(status.rule);
  }
  std::vector<StoredPack> packs;
  if (!created) {
    ASSIGN_OR_RETURN(packs, deps_.index->SessionPacks(session.id));
  }
  status.missing = MissingOf(ChunkLedger(packs), session.manifest, session.terms.want);
  return status;
}

absl::StatusOr<SessionStatus> Ingestor::GetSession(const DeviceCaller& caller, absl::string_view session) {
  ASSIGN_OR_RETURN(const Session found, Find(caller, session));
  return StatusOf(found, /*created=*/false);
}

absl::StatusOr<SessionWithPacks> Ingestor::WithPacks(const SessionId& id) {
  if (std::optional<Session> begun = begun_.Take(id, deps_.clock->Now())) {
    return SessionWithPacks{.session = *std::move(begun)};
  }
  return deps_.index->GetSessionWithPacks(id);
}

absl::StatusOr<std::unique_ptr<SessionWriter>> Ingestor::OpenWriter(const DeviceCaller& caller,
                                                                    absl::string_view session) {
  ASSIGN_OR_RETURN(const SessionId id, ParseSession(session));
  ASSIGN_OR_RETURN(SessionWithPacks found, WithPacks(id));
  if (!caller.MayAct(found.session.device)) return absl::NotFoundError("no such session");
  const SessionWriter::Dependencies deps{
      .index = deps_.index,
      .store = deps_.store,
      .clock = deps_.clock,
      .metrics = deps_.metrics,
      .budget = &budget_,
      .in_flight = deps_.admission == nullptr ? nullptr : deps_.admission->in_flight()};
  return std::make_unique<SessionWriter>(deps, limits_, std::move(found.session), found.packs);
}

absl::StatusOr<FinishedCrash> Ingestor::Finish(const DeviceCaller& caller, absl::string_view session) {
  ASSIGN_OR_RETURN(const SessionId id, ParseSession(session));
  ASSIGN_OR_RETURN(const SessionWithPacks found, deps_.index->GetSessionWithPacks(id));
  if (!caller.MayAct(found.session.device)) return absl::NotFoundError("no such session");
  if (found.session.state == SessionState::kComplete) {
    return FinishedCrash{.crash = found.session.crash, .already_stored = true};
  }
  const ChunkLedger ledger(found.packs);
  const auto missing = MissingOf(ledger, found.session.manifest, found.session.terms.want);
  if (!missing.empty()) return absl::FailedPreconditionError(Describe(missing));
  if (const absl::Status roots = ledger.CheckRoots(found.session.manifest); !roots.ok()) {
    RETURN_IF_ERROR(deps_.index->DropPacks(id));
    return roots;
  }
  return FinishWith(found.session, found.packs, ledger);
}

absl::Status Ingestor::FinishPart(const SessionId& session) {
  const auto found = deps_.index->GetSessionWithPacks(session);
  if (absl::IsNotFound(found.status())) return absl::OkStatus();
  RETURN_IF_ERROR(found.status());
  if (found->session.state == SessionState::kComplete) return absl::OkStatus();
  const ChunkLedger ledger(found->packs);
  if (!ledger.CheckRoots(found->session.manifest).ok()) {
    return deps_.index->AbandonSession(session, kDamaged);
  }
  return FinishWith(found->session, found->packs, ledger).status();
}

absl::StatusOr<std::optional<FinishedCrash>> Ingestor::FlushAndFinish(SessionWriter* writer) {
  const CrashId fresh = NewCrashId(deps_.clock->Now());
  ASSIGN_OR_RETURN(const bool finished, writer->FlushAndFinish(fresh));
  if (!finished) return std::nullopt;
  return Finished(writer->opened(), fresh, fresh);
}

absl::StatusOr<FinishedCrash> Ingestor::FinishWith(const Session& session,
                                                   const std::vector<StoredPack>& packs,
                                                   const ChunkLedger& ledger) {
  const CrashId fresh = NewCrashId(deps_.clock->Now());
  CrashBytes bytes = BytesOfCrash(session.manifest, ledger);
  for (const StoredPack& pack : packs) bytes.stored += pack.ref.size;
  ASSIGN_OR_RETURN(const CrashId crash, deps_.index->FinishSession(session.id, fresh, bytes));
  return Finished(session, fresh, crash);
}

FinishedCrash Ingestor::Finished(const Session& session, const CrashId& fresh, const CrashId& crash) {
  EndInFlight(session.id);
  if (crash == fresh) deps_.metrics->CrashReceived();
  deps_.crash_received();
  // Of a reopened session it is the rest that was finished.
  return FinishedCrash{.crash = crash, .already_stored = crash != fresh && session.crash.empty()};
}

absl::Status Ingestor::Abandon(const DeviceCaller& caller, absl::string_view session) {
  const auto found = Find(caller, session);
  // Another device's session gives the answer of none at all: the two cannot be told apart.
  if (absl::IsNotFound(found.status())) return absl::OkStatus();
  RETURN_IF_ERROR(found.status());
  RETURN_IF_ERROR(deps_.index->AbandonSession(found->id, kAbandoned));
  EndInFlight(found->id);
  return absl::OkStatus();
}

void Ingestor::Expect(const SessionStatus& status, const Session& session) {
  if (deps_.admission == nullptr || status.state == SessionState::kComplete) return;
  deps_.admission->in_flight()->Expect(session.id, session.device, BytesIn(status.missing, session.manifest),
                                       deps_.clock->Now());
}

void Ingestor::EndInFlight(const SessionId& session) {
  if (deps_.admission != nullptr) deps_.admission->in_flight()->End(session, deps_.clock->Now());
}

}  // namespace corefleet

#include "server/ingest/ingestor.h"

#include <utility>

#include "absl/strings/str_cat.h"
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

uint64_t StoredBytes(const std::vector<StoredPack>& packs) {
  uint64_t total = 0;
  for (const StoredPack& pack : packs) total += pack.ref.size;
  return total;
}

std::string Describe(const std::vector<ChunkRange>& missing) {
  uint64_t chunks = 0;
  for (const ChunkRange& range : missing) chunks += range.count;
  return absl::StrCat(chunks, " chunks are not durable yet, the first is region ", missing.front().region,
                      " chunk ", missing.front().first);
}

BeginOutcome OutcomeOf(const absl::StatusOr<SessionStatus>& result) {
  if (!result.ok()) {
    return absl::IsInvalidArgument(result.status()) || absl::IsResourceExhausted(result.status())
               ? BeginOutcome::kRefused
               : BeginOutcome::kFailed;
  }
  if (result->state == SessionState::kComplete) return BeginOutcome::kComplete;
  return result->created ? BeginOutcome::kNew : BeginOutcome::kResuming;
}

}  // namespace

Ingestor::Ingestor(Dependencies deps, const IngestLimits& limits)
    : deps_(std::move(deps)), limits_(limits), budget_(limits.held_bytes) {}

absl::StatusOr<SessionStatus> Ingestor::Begin(const DeviceCaller& caller, const CrashOffer& offer) {
  const auto result = [&]() -> absl::StatusOr<SessionStatus> {
    ASSIGN_OR_RETURN(const DeviceId id, caller.Speaking(offer.device));
    RETURN_IF_ERROR(CheckAnnouncement(offer.manifest, offer.note));
    return OpenSession(id, offer.manifest, offer.note);
  }();
  deps_.metrics->SessionBegun(OutcomeOf(result));
  return result;
}

absl::Status Ingestor::CheckAnnouncement(const Manifest& manifest, const std::string& note) const {
  if (note.size() > limits_.note_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("a note of ", note.size(), " bytes is longer than ", limits_.note_bytes));
  }
  if (Utf8OrHex(note) != note) return absl::InvalidArgumentError("the note is not UTF-8");
  RETURN_IF_ERROR(Validate(manifest));
  if (RawBytes(manifest) > limits_.crash_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("a crash of ", RawBytes(manifest), " bytes is larger than ", limits_.crash_bytes));
  }
  const Sha256Digest nothing = RegionRoot().Finish();
  for (size_t i = 0; i < manifest.regions.size(); ++i) {
    if (manifest.regions[i].size == 0 && manifest.regions[i].root != nothing) {
      return absl::InvalidArgumentError(
          absl::StrCat("region ", i, " is empty and has the root of something"));
    }
  }
  return absl::OkStatus();
}

absl::Status Ingestor::CheckRoom() {
  const uint64_t free = deps_.store->FreeBytes();
  if (free >= limits_.min_free_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("the server's store is full: ", free, " bytes are left"));
}

absl::StatusOr<SessionStatus> Ingestor::OpenSession(const DeviceId& device, const Manifest& manifest,
                                                    const std::string& note) {
  const auto begin = [&] {
    const absl::Time now = deps_.clock->Now();
    return deps_.index->BeginSession(device, manifest, note, SessionTerms(), NewSessionId(), now,
                                     now + limits_.session_ttl);
  };
  ASSIGN_OR_RETURN(BeginResult begun, begin());
  const bool open = begun.session.state == SessionState::kOpen;
  if (open && begun.session.manifest != manifest) {
    RETURN_IF_ERROR(deps_.index->AbandonSession(begun.session.id, "abandoned"));
    ASSIGN_OR_RETURN(begun, begin());
    // Two uploads of one crash that order its regions differently take turns at throwing each other out.
    if (begun.session.manifest != manifest)
      return absl::AbortedError("another upload of this crash is under way");
  }
  // Refused before its bytes travel. The empty session costs a row.
  if (open) RETURN_IF_ERROR(CheckRoom());
  return StatusOf(begun.session, begun.created);
}

absl::StatusOr<SessionStatus> Ingestor::StatusOf(const Session& session, bool created) {
  SessionStatus status{.session = session.id,
                       .created = created,
                       .state = session.state,
                       .crash = session.crash,
                       .expires_at = session.expires_at};
  if (session.state == SessionState::kComplete) {
    status.want = Want::kNone;
    return status;
  }
  std::vector<StoredPack> packs;
  if (!created) {
    ASSIGN_OR_RETURN(packs, deps_.index->SessionPacks(session.id));
  }
  status.missing = ChunkLedger(packs).Missing(session.manifest);
  return status;
}

absl::StatusOr<Session> Ingestor::Find(const DeviceCaller& caller, absl::string_view session) {
  ASSIGN_OR_RETURN(const SessionId id, ParseSession(session));
  ASSIGN_OR_RETURN(Session found, deps_.index->GetSession(id));
  if (!caller.MayAct(found.device)) return absl::NotFoundError("no such session");
  return found;
}

absl::StatusOr<SessionStatus> Ingestor::GetSession(const DeviceCaller& caller, absl::string_view session) {
  ASSIGN_OR_RETURN(const Session found, Find(caller, session));
  return StatusOf(found, /*created=*/false);
}

absl::StatusOr<std::unique_ptr<SessionWriter>> Ingestor::OpenWriter(const DeviceCaller& caller,
                                                                    absl::string_view session) {
  ASSIGN_OR_RETURN(Session found, Find(caller, session));
  ASSIGN_OR_RETURN(const std::vector<StoredPack> packs, deps_.index->SessionPacks(found.id));
  const SessionWriter::Dependencies deps{.index = deps_.index,
                                         .store = deps_.store,
                                         .clock = deps_.clock,
                                         .metrics = deps_.metrics,
                                         .budget = &budget_};
  return std::make_unique<SessionWriter>(deps, limits_, std::move(found), ChunkLedger(packs));
}

absl::StatusOr<FinishedCrash> Ingestor::Finish(const DeviceCaller& caller, absl::string_view session) {
  ASSIGN_OR_RETURN(const Session found, Find(caller, session));
  const SessionId& id = found.id;
  if (found.state == SessionState::kComplete)
    return FinishedCrash{.crash = found.crash, .already_stored = true};
  ASSIGN_OR_RETURN(const std::vector<StoredPack> packs, deps_.index->SessionPacks(id));
  const ChunkLedger ledger(packs);
  if (const auto missing = ledger.Missing(found.manifest); !missing.empty()) {
    return absl::FailedPreconditionError(Describe(missing));
  }
  if (const absl::Status roots = ledger.CheckRoots(found.manifest); !roots.ok()) {
    RETURN_IF_ERROR(deps_.index->DropPacks(id));
    return roots;
  }
  const CrashId fresh = NewCrashId(deps_.clock->Now());
  ASSIGN_OR_RETURN(const CrashId crash,
                   deps_.index->FinishSession(id, fresh, RawBytes(found.manifest), StoredBytes(packs)));
  if (crash == fresh) deps_.metrics->CrashReceived();
  deps_.crash_received();
  return FinishedCrash{.crash = crash, .already_stored = crash != fresh};
}

absl::Status Ingestor::Abandon(const DeviceCaller& caller, absl::string_view session) {
  const auto found = Find(caller, session);
  // Another device's session gives the answer of none at all: the two cannot be told apart.
  if (absl::IsNotFound(found.status())) return absl::OkStatus();
  RETURN_IF_ERROR(found.status());
  return deps_.index->AbandonSession(found->id, "abandoned");
}

}  // namespace corefleet

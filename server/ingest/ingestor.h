#ifndef COREFLEET_SERVER_INGEST_INGESTOR_H_
#define COREFLEET_SERVER_INGEST_INGESTOR_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "core/manifest/manifest.h"
#include "server/admission/admission.h"
#include "server/admission/refusal_account.h"
#include "server/identity/caller.h"
#include "server/ingest/begun_sessions.h"
#include "server/ingest/byte_budget.h"
#include "server/ingest/chunk_ledger.h"
#include "server/ingest/crash_offer.h"
#include "server/ingest/ingest_limits.h"
#include "server/ingest/ingest_metrics.h"
#include "server/ingest/known_sessions.h"
#include "server/ingest/session_writer.h"
#include "storage/crash_index.h"
#include "storage/pack_store.h"

namespace corefleet {

// How much of a crash the server asks for.
enum class Want {
  kAll,
  kNone,     // it is here
  kLogOnly,  // what the kernel log and the build can be read from
};

// Where a session stands.
struct SessionStatus {
  SessionId session;
  bool created = false;  // by this very call
  SessionState state = SessionState::kOpen;
  CrashId crash;                    // empty until the session was finished once
  std::vector<ChunkRange> missing;  // of what is wanted
  absl::Time expires_at;
  Want want = Want::kAll;
  std::string rule;                         // that decided, if one did
  uint32_t weight = 1;                      // the crash stands for so many
  std::optional<absl::Duration> ask_again;  // with kLogOnly
};

struct FinishedCrash {
  CrashId crash;
  bool already_stored = false;
};

// Accepts crashes: bytes and a row, nothing clever. Durable bytes come before the row that names them, the
// row before the acknowledgement, and facts later, by somebody else.
//
// All state is in the index and the store, so a session goes on at any server that shares them. A caller sees
// the sessions of the devices that it may act for; those of others do not exist for it. Thread-safe. Every
// method blocks, and may return UNAVAILABLE, ABORTED or UNKNOWN from the index; all of them may be repeated.
class Ingestor {
 public:
  struct Dependencies {
    CrashIndex* index;
    PackStore* store;
    const Clock* clock;
    IngestMetrics* metrics;
    // Called after a crash has become durable and before its device is told. Must not block.
    std::function<void()> crash_received = [] {};
    // Without it everything is let in.
    Admission* admission = nullptr;
    // Without it refusals are not counted.
    RefusalAccount* refusals = nullptr;
  };

  Ingestor(Dependencies deps, const IngestLimits& limits);

  const IngestLimits& limits() const { return limits_; }

  // Opens a session, or finds the one that is there for the same regions of the same device. Chunks name
  // regions by their index in `manifest`; when an open session announced the same regions in another order,
  // it is forgotten and a new one takes its place. A crash that is stored in part may be wanted whole by now:
  // its session is open again then.
  //   INVALID_ARGUMENT    the device's name, the manifest or the note breaks a rule; the text says which
  //   PERMISSION_DENIED   the caller may not speak for that device, or the operator does not want the crash
  //   RESOURCE_EXHAUSTED  not now
  // With each of these RefusedBy says more.
  absl::StatusOr<SessionStatus> Begin(const DeviceCaller& caller, const CrashOffer& offer);

  // Looks up which sessions are open, from before this server started, so that none of them is turned away by
  // RefuseAtOnce. Call it before the first device calls; without it, or when it fails, they may be.
  absl::Status Recall();

  // Somebody was kept out within the last seconds: RefuseAtOnce is worth a question. Never blocks.
  bool busy() const {
    return deps_.admission != nullptr && deps_.admission->in_flight()->binding(deps_.clock->Now());
  }
  // The refusal that Begin would give while the server has no room, without a question to the database, so
  // that thousands who come at once cost little: RESOURCE_EXHAUSTED. None: Begin has to decide. Never blocks.
  // Of a session that this server has neither seen nor recalled, as one of another server on the same
  // database, it knows nothing: such a device may be sent away once, with an honest delay, and Begin looks
  // when it comes back. Never lets anything in.
  std::optional<absl::Status> RefuseAtOnce(const DeviceCaller& caller, const CrashOffer& offer);

  //   NOT_FOUND  no such session
  absl::StatusOr<SessionStatus> GetSession(const DeviceCaller& caller, absl::string_view session);

  // Starts a stream's work on a session.
  //   NOT_FOUND  no such session
  absl::StatusOr<std::unique_ptr<SessionWriter>> OpenWriter(const DeviceCaller& caller,
                                                            absl::string_view session);

  // Makes a crash of a session, or adds to the crash that it was, once all that is wanted is durable.
  //   NOT_FOUND            no such session
  //   FAILED_PRECONDITION  chunks are missing
  //   DATA_LOSS            a region's root is not what was announced; the session's chunks are forgotten
  absl::StatusOr<FinishedCrash> Finish(const DeviceCaller& caller, absl::string_view session);

  // Makes durable what the writer holds, and makes a crash of its session in the same step, if that is all
  // that lacked. None: Finish has to look at it. Codes: SessionWriter::Flush's.
  absl::StatusOr<std::optional<FinishedCrash>> FlushAndFinish(SessionWriter* writer);

  // Makes a crash of what a session has, though more was wanted: its device did not come back. A part of a
  // crash is still a crash, and a late upload adds the rest. What does not match its announcement is
  // forgotten instead. OK if there is no such session.
  absl::Status FinishPart(const SessionId& session);

  // OK if there is no such session, and nothing happens.
  //   FAILED_PRECONDITION  the session is a crash already
  absl::Status Abandon(const DeviceCaller& caller, absl::string_view session);

 private:
  // The session, if it is the caller's business.
  //   NOT_FOUND  it is not, or there is none
  absl::StatusOr<Session> Find(const DeviceCaller& caller, absl::string_view session);

  absl::StatusOr<SessionStatus> Answer(const DeviceCaller& caller, const CrashOffer& offer);
  absl::StatusOr<DeviceId> Check(const DeviceCaller& caller, const CrashOffer& offer) const;
  absl::Status CheckAnnouncement(const Manifest& manifest, const std::string& note) const;
  void TakeAccount(const DeviceId& device, const DeviceAccount& account);
  absl::StatusOr<std::optional<Session>> FindSession(const DeviceId& device, const CrashUid& uid);
  // For a crash without a session, one whose session is open, and one that is stored.
  absl::StatusOr<SessionStatus> Open(const DeviceId& device, const CrashUid& uid, const CrashOffer& offer);
  absl::StatusOr<SessionStatus> Resume(Session session, const CrashOffer& offer);
  absl::StatusOr<SessionStatus> AskForRest(const Session& session, const CrashUid& uid,
                                           const CrashOffer& offer);
  absl::StatusOr<BeginResult> BeginSession(const DeviceId& device, const CrashOffer& offer,
                                           const SessionTerms& terms, const SessionId& fresh);
  absl::StatusOr<Grant> Decide(const AskingCrash& crash, const SessionId& session);

  absl::StatusOr<SessionStatus> StatusOf(const Session& session, bool created);
  absl::StatusOr<FinishedCrash> FinishWith(const Session& session, const std::vector<StoredPack>& packs,
                                           const ChunkLedger& ledger);
  // Says that `crash` was made, if it is `fresh`, or that the session was one already.
  FinishedCrash Finished(const Session& session, const CrashId& fresh, const CrashId& crash);
  // The session as the database has it, or as it was made just now.
  absl::StatusOr<SessionWithPacks> WithPacks(const SessionId& id);
  void Expect(const SessionStatus& status, const Session& session);
  void EndInFlight(const SessionId& session);

  const Dependencies deps_;
  const IngestLimits limits_;
  ByteBudget budget_;
  BegunSessions begun_;
  KnownSessions known_;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_INGEST_INGESTOR_H_

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
#include "server/identity/caller.h"
#include "server/ingest/byte_budget.h"
#include "server/ingest/chunk_ledger.h"
#include "server/ingest/crash_offer.h"
#include "server/ingest/ingest_limits.h"
#include "server/ingest/ingest_metrics.h"
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
  CrashId crash;  // empty until the session was finished once
  std::vector<ChunkRange> missing;
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
// the sessions of the devices that it may act for; those of others do not exist for it. Thread-safe.
// Every method blocks, and may return UNAVAILABLE, ABORTED or UNKNOWN from the index; all of them may be
// repeated.
class Ingestor {
 public:
  struct Dependencies {
    CrashIndex* index;
    PackStore* store;
    const Clock* clock;
    IngestMetrics* metrics;
    // Called after a crash has become durable and before its device is told. Must not block.
    std::function<void()> crash_received = [] {};
  };

  Ingestor(Dependencies deps, const IngestLimits& limits);

  const IngestLimits& limits() const { return limits_; }

  // Opens a session, or finds the one that is there for the same regions of the same device. Chunks name
  // regions by their index in `manifest`; when an open session announced the same regions in another order,
  // it is forgotten and a new one takes its place.
  //   INVALID_ARGUMENT    the device's name, the manifest or the note breaks a rule; the text says which
  //   PERMISSION_DENIED   the caller may not speak for that device
  //   RESOURCE_EXHAUSTED  the store is nearly full
  absl::StatusOr<SessionStatus> Begin(const DeviceCaller& caller, const CrashOffer& offer);

  //   NOT_FOUND  no such session
  absl::StatusOr<SessionStatus> GetSession(const DeviceCaller& caller, absl::string_view session);

  // Starts a stream's work on a session.
  //   NOT_FOUND  no such session
  absl::StatusOr<std::unique_ptr<SessionWriter>> OpenWriter(const DeviceCaller& caller,
                                                            absl::string_view session);

  //   NOT_FOUND            no such session
  //   FAILED_PRECONDITION  chunks are missing
  //   DATA_LOSS            a region's root is not what was announced; the session's chunks are forgotten
  absl::StatusOr<FinishedCrash> Finish(const DeviceCaller& caller, absl::string_view session);

  // OK if there is no such session, and nothing happens.
  //   FAILED_PRECONDITION  the session is a crash already
  absl::Status Abandon(const DeviceCaller& caller, absl::string_view session);

 private:
  // The session, if it is the caller's business.
  //   NOT_FOUND  it is not, or there is none
  absl::StatusOr<Session> Find(const DeviceCaller& caller, absl::string_view session);
  absl::Status CheckAnnouncement(const Manifest& manifest, const std::string& note) const;
  absl::Status CheckRoom();
  absl::StatusOr<SessionStatus> OpenSession(const DeviceId& device, const Manifest& manifest,
                                            const std::string& note);
  absl::StatusOr<SessionStatus> StatusOf(const Session& session, bool created);

  const Dependencies deps_;
  const IngestLimits limits_;
  ByteBudget budget_;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_INGEST_INGESTOR_H_

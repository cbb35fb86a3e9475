#ifndef COREFLEET_STORAGE_CRASH_INDEX_H_
#define COREFLEET_STORAGE_CRASH_INDEX_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/crash/facts.h"
#include "core/crash/ids.h"
#include "core/manifest/manifest.h"
#include "storage/pack.h"
#include "storage/pack_store.h"

namespace corefleet {

// A durable pack of a session or crash: where it is and what is in it.
struct StoredPack {
  PackRef ref;
  std::vector<PackEntry> entries;
};

// kOpen with a crash: the crash is stored, a part of it was wanted or came, and more is on its way.
enum class SessionState : uint8_t {
  kOpen = 0,
  kComplete = 1,  // finished: `crash` is set
};

// How much of a crash was asked for. The numbers are stored.
enum class SessionWant : uint8_t {
  kAll = 0,
  kLogOnly = 1,  // what the kernel log and the build can be read from
};

// What a device believes about its crash (proto CrashHints). Untrusted; at most 256 bytes each.
struct CrashHints {
  std::string build_id;
  std::string kernel_release;
  std::string panic;
  std::string os_version;
  std::string source;
  std::optional<absl::Time> captured_at;
  uint32_t priority = 0;

  friend bool operator==(const CrashHints&, const CrashHints&) = default;
};

// On what terms a crash was let in. Decided once, when the session is made, and again when more is wanted.
struct SessionTerms {
  SessionWant want = SessionWant::kAll;
  std::string rule;     // the operator's rule that decided; empty: none did
  uint32_t weight = 1;  // the crash stands for so many
  CrashHints hints;

  friend bool operator==(const SessionTerms&, const SessionTerms&) = default;
};

// An upload under way or finished.
struct Session {
  SessionId id;
  DeviceId device;
  CrashUid uid;
  SessionState state = SessionState::kOpen;
  CrashId crash;  // empty while open
  absl::Time expires_at;
  std::string note;
  Manifest manifest;
  SessionTerms terms;
  // Grows with every pack that is added and with DropPacks. Who has counted his own calls and knows the
  // number from before them sees by it whether anybody else has changed the packs.
  uint64_t pack_changes = 0;
};

// Whose crash a session brings, and which. There is one session of each.
struct SessionKey {
  DeviceId device;
  CrashUid uid;

  friend bool operator==(const SessionKey&, const SessionKey&) = default;
};

struct BeginResult {
  Session session;
  bool created = false;  // false: it was there already, open or complete
};

// A session and all that is durable of it.
struct SessionWithPacks {
  Session session;
  std::vector<StoredPack> packs;
};

// How large a crash is.
struct CrashBytes {
  uint64_t raw = 0;     // of all regions, as they were announced
  uint64_t here = 0;    // those of them that are stored, each counted once; `raw` when the crash is whole
  uint64_t stored = 0;  // of all packs

  friend bool operator==(const CrashBytes&, const CrashBytes&) = default;
};

// A stored crash. `facts` is empty until analysis has run.
struct StoredCrash {
  CrashId id;
  DeviceId device;
  absl::Time received_at;
  std::string note;
  CrashState state = CrashState::kReceived;
  uint64_t raw_bytes = 0;     // of all regions
  uint64_t here_bytes = 0;    // of what is stored of them: less than raw_bytes when only a part is here
  uint64_t stored_bytes = 0;  // of all packs
  // What was asked for, by which of the operator's rules, and how many crashes this one stands for.
  SessionWant want = SessionWant::kAll;
  std::string rule;
  uint32_t weight = 1;
  // What the device said. Untrusted, and no facts.
  std::string os_version;
  std::string source;
  std::optional<absl::Time> captured_at;
  // Grows each time that bytes are added to a crash that is stored: what was read of an older one may lack
  // them.
  uint32_t revision = 0;
  std::optional<CrashFacts> facts;
};

// What a list asks for. Empty fields do not filter.
struct CrashFilter {
  std::string build;       // a build id or a prefix of one (4 hex digits at least), or a whole release
  uint64_t taint_all = 0;  // every one of these bits is set
  bool untainted = false;  // the final mask is 0
  std::optional<DeviceId> device;
  std::optional<CrashState> state;
  std::optional<absl::Time> since;  // received at or after
  std::optional<absl::Time> until;  // received before
};

// What a crash is made of.
struct CrashContents {
  Manifest manifest;
  std::vector<StoredPack> packs;  // without those that a reopened session has added and not finished
  uint64_t here_bytes = 0;        // as in StoredCrash: the packs hold so many, or some were lost
  uint32_t revision = 0;
};

struct CrashPage {
  std::vector<StoredCrash> crashes;  // newest first; facts are summaries: regions and defects may be left out
  // Pass as `before` to go on; empty at the end.
  CrashId next;
};

// Counters for dashboards, kept by the same transactions that change what they count.
struct BuildCount {
  BuildId build;
  std::string release;
  uint64_t crashes = 0;
  uint64_t weight = 0;
};
// Counts of crashes, and beside each what these crashes stand for: the sum of their weights, as of the
// analysis that counted them. A crash that is not analysed yet stands for itself.
struct IndexStats {
  uint64_t crashes = 0;
  uint64_t analysis_backlog = 0;  // received and not yet analysed
  uint64_t open_sessions = 0;
  std::vector<BuildCount> builds;  // the busiest, at most `max_builds`
  uint64_t other_builds = 0;       // crashes of all other builds
  uint64_t other_builds_weight = 0;
  std::vector<uint64_t> crashes_by_taint;  // index = taint bit, 64 entries
  std::vector<uint64_t> weight_by_taint;
  uint64_t untainted = 0;
  uint64_t untainted_weight = 0;
  std::vector<uint64_t> crashes_by_state;  // index = CrashState
  std::vector<uint64_t> weight_by_state;
};

// How often something happened for a reason. Reasons are words of closed lists: docs/admission.md.
struct ReasonCount {
  std::string reason;
  uint64_t count = 0;

  friend bool operator==(const ReasonCount&, const ReasonCount&) = default;
};

// Where every crash that was ever offered has gone. At all times, and in every snapshot of the index,
//
//   offered = accepted + refused + expired + pending
//
// An offer is a BeginCrash for which no session was there; one that is refused and comes back is another
// offer. What devices lost before they could offer it is offered and expired in one step, with the devices'
// reasons.
struct IngestAccount {
  uint64_t offered = 0;
  uint64_t accepted = 0;             // became crashes, whole or in part
  std::vector<ReasonCount> refused;  // by reason, sorted
  std::vector<ReasonCount>
      expired;           // by reason, sorted: sessions that ended without a crash, and devices' losses
                         // ("device_..." reasons)
  uint64_t pending = 0;  // open sessions without a crash, counted as rows

  // offered - (accepted + refused + expired + pending). Not 0: something was lost, or counted twice.
  int64_t Difference() const {
    uint64_t known = accepted + pending;
    for (const ReasonCount& one : refused) known += one.count;
    for (const ReasonCount& one : expired) known += one.count;
    return static_cast<int64_t>(offered - known);
  }
};

// A pack that the index names, and whose it is.
struct IndexedPack {
  PackRef ref;
  SessionId session;
};

// Remembers sessions, crashes and facts. Thread-safe. Every method may return
//   UNAVAILABLE  the database cannot be reached; retry later
//   ABORTED      lost a race with another writer; retry now
//   UNKNOWN      the outcome of a commit is not known; only idempotent calls (all of these are) may be
//   repeated
class CrashIndex {
 public:
  virtual ~CrashIndex() = default;

  // OK when the index answers. For readiness.
  virtual absl::Status Ping() = 0;

  // Opens a session for (device, UidOf(manifest)), or gives back the one that is there. `fresh` is the id to
  // use if it has to be made. An open session that has expired by `now` gets a new expiry and keeps what it
  // has.
  // `terms` are those of a session that has to be made; one that is there keeps its own. Making one counts an
  // offer. A session that was just made may be forgotten again if the database loses power, until its first
  // pack is recorded: nothing was acknowledged that it holds, and its device is told NOT_FOUND and begins
  // anew.
  virtual absl::StatusOr<BeginResult> BeginSession(const DeviceId& device, const Manifest& manifest,
                                                   const std::string& note, const SessionTerms& terms,
                                                   const SessionId& fresh, absl::Time now,
                                                   absl::Time expires_at) = 0;

  // The session of (device, uid), or none. Changes nothing: what admission asks before it decides.
  virtual absl::StatusOr<std::optional<Session>> FindSession(const DeviceId& device, const CrashUid& uid) = 0;

  // Opens a complete session again, because more of its crash is wanted: `terms` take the place of the old
  // ones, the crash stays as it is. OK, and only the expiry and the terms change, if it is open.
  //   NOT_FOUND  no such session
  virtual absl::StatusOr<Session> ReopenSession(const SessionId& id, const SessionTerms& terms,
                                                absl::Time expires_at) = 0;

  //   NOT_FOUND  no such session
  virtual absl::StatusOr<Session> GetSession(const SessionId& id) = 0;
  // GetSession and SessionPacks in one question, of one moment.
  virtual absl::StatusOr<SessionWithPacks> GetSessionWithPacks(const SessionId& id) = 0;

  // Records durable packs in one transaction. Their chunks may be acknowledged when this returns OK. A
  // session that is at work does not expire: its expiry becomes `expires_at` when less than half of the time
  // from `now` until then is left.
  //   NOT_FOUND            no such session
  //   FAILED_PRECONDITION  the session is complete
  virtual absl::Status AddPacks(const SessionId& id, absl::Span<const StoredPack> packs, absl::Time now,
                                absl::Time expires_at) = 0;
  // The same for one pack, and the expiry stays.
  absl::Status AddPack(const SessionId& id, const StoredPack& pack) {
    return AddPacks(id, {pack}, absl::InfinitePast(), absl::InfinitePast());
  }

  // The packs of a session, open or complete, in the order they were added.
  //   NOT_FOUND  no such session
  virtual absl::StatusOr<std::vector<StoredPack>> SessionPacks(const SessionId& id) = 0;

  // Forgets the packs of an open session, whose bytes turned out not to match the manifest; of a reopened one
  // those alone that were added since.
  virtual absl::Status DropPacks(const SessionId& id) = 0;

  // Turns a session into a crash, in one transaction: the crash's row, the session's end, the request for
  // analysis. Idempotent: a second call gives the first one's crash. `fresh` is used by the first. A session
  // that was reopened keeps its crash, whose bytes become `bytes`, whose revision grows and whose analysis is
  // requested again.
  //   NOT_FOUND  no such session
  virtual absl::StatusOr<CrashId> FinishSession(const SessionId& id, const CrashId& fresh,
                                                const CrashBytes& bytes) = 0;
  // The same for a crash that is whole.
  absl::StatusOr<CrashId> FinishSession(const SessionId& id, const CrashId& fresh, uint64_t raw_bytes,
                                        uint64_t stored_bytes) {
    return FinishSession(id, fresh, {.raw = raw_bytes, .here = raw_bytes, .stored = stored_bytes});
  }

  // AddPacks and FinishSession in one transaction, for the packs that make a session whole: records them and
  // turns the session into the crash `fresh`, if the session is open, was never a crash, and its pack_changes
  // still are `pack_changes`, so that the crash has exactly the packs that the caller knows. Idempotent.
  //   NOT_FOUND            no such session
  //   FAILED_PRECONDITION  something of this is not so, and nothing was done: AddPacks and FinishSession tell
  //                        what
  virtual absl::Status FinishWithPacks(const SessionId& id, uint64_t pack_changes,
                                       absl::Span<const StoredPack> packs, const CrashId& fresh,
                                       const CrashBytes& bytes) = 0;

  // Forgets an open session and its packs; it counts as expired, for `reason`. OK if there is none. A
  // reopened session is only closed again: its crash stays, and what was added to it joins it, as if it had
  // been finished.
  //   FAILED_PRECONDITION  the session is complete: a crash is not abandoned
  virtual absl::Status AbandonSession(const SessionId& id, const std::string& reason) = 0;

  // Forgets open sessions without packs that expired before `now`, those first that expired first: at most
  // `limit`, so that one call is one short transaction. A session that is begun again meanwhile stays. Gives
  // how many it forgot; each counts as expired, for `reason`. Reopened ones that expired it closes, as
  // AbandonSession does, `limit` at most, and does not count.
  virtual absl::StatusOr<int64_t> ExpireSessions(absl::Time now, int64_t limit,
                                                 const std::string& reason) = 0;

  // Open sessions with packs and without a crash that expired before `now`: a part of a crash is still a
  // crash, and the caller makes one of each. Those first that expired first, at most `limit`.
  virtual absl::StatusOr<std::vector<SessionId>> ExpiredWithPacks(absl::Time now, int64_t limit) = 0;

  // Of which crashes there are open sessions: the `limit` of them that expire last, the last one first.
  virtual absl::StatusOr<std::vector<SessionKey>> OpenSessions(int64_t limit) = 0;

  // Counts offers that were refused, and nothing else of them is kept.
  virtual absl::Status AddRefusals(const std::vector<ReasonCount>& refused) = 0;

  // Takes a device's own account. `lost` are counts since the epoch began; what is new in them, against the
  // largest that this epoch reported before, is offered and expired (reason "device_" + its reason).
  // Idempotent for the kLossEpochs epochs of a device that reported last; older ones are forgotten. A count
  // above kMaxLoss counts as kMaxLoss.
  static constexpr int kLossEpochs = 4;
  static constexpr uint64_t kMaxLoss = 1'000'000'000;
  virtual absl::Status ReportLosses(const DeviceId& device, const std::string& epoch,
                                    const std::vector<ReasonCount>& lost, absl::Time now) = 0;

  // One snapshot.
  virtual absl::StatusOr<IngestAccount> Account() = 0;

  // The packs that lie under `key` (a segment's name), in the order of their offsets. For reconciliation.
  virtual absl::StatusOr<std::vector<IndexedPack>> PacksUnder(const std::string& key) = 0;
  // Every key that some pack lies under, sorted.
  virtual absl::StatusOr<std::vector<std::string>> PackKeys() = 0;

  // Crashes that await facts and that nobody will analyse: received before `before`, and not requested.
  // Requests them again, at most `limit`, and gives how many. 0 unless something was lost.
  virtual absl::StatusOr<int64_t> RequestLostAnalyses(absl::Time before, int64_t limit) = 0;

  //   NOT_FOUND  no such crash
  virtual absl::StatusOr<StoredCrash> GetCrash(const CrashId& id) = 0;
  // What a crash is made of, of one moment.
  virtual absl::StatusOr<CrashContents> Contents(const CrashId& id) = 0;

  // The crashes whose printed id starts with `prefix` (1 to 32 lower-case hex digits), at most `limit`.
  virtual absl::StatusOr<std::vector<CrashId>> FindByPrefix(const std::string& prefix, int limit) = 0;

  // One page, newest first, of what arrived before `before` (empty: from the newest). `limit` is 1 to 1000.
  virtual absl::StatusOr<CrashPage> ListCrashes(const CrashFilter& filter, const CrashId& before,
                                                int limit) = 0;

  // Lends up to `limit` crashes that await analysis to one analyzer until `lease_until`. A lease that ran out
  // is lent again, with its attempts counted.
  struct AnalysisLease {
    CrashId crash;
    int attempts = 0;       // this one included
    uint32_t revision = 0;  // of the crash
  };
  virtual absl::StatusOr<std::vector<AnalysisLease>> ClaimAnalysis(int limit, absl::Time now,
                                                                   absl::Time lease_until) = 0;

  // Stores what analysis found of the crash as it was at `revision`, and ends its lease. The last call wins.
  //   NOT_FOUND            no such crash
  //   FAILED_PRECONDITION  bytes were added meanwhile: its analysis is requested again
  virtual absl::Status PutFacts(const CrashId& id, const CrashFacts& facts, uint32_t revision) = 0;
  // The same for a crash to which nothing was ever added.
  absl::Status PutFacts(const CrashId& id, const CrashFacts& facts) { return PutFacts(id, facts, 0); }

  virtual absl::StatusOr<IndexStats> Stats(int max_builds) = 0;
};

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_CRASH_INDEX_H_

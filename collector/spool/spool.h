#ifndef COREFLEET_COLLECTOR_SPOOL_SPOOL_H_
#define COREFLEET_COLLECTOR_SPOOL_SPOOL_H_

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/boot_clock.h"
#include "collector/spool/losses.h"
#include "collector/spool/outgoing_crash.h"
#include "collector/spool/spool_folder.h"
#include "core/crash/ids.h"
#include "core/crash/region_set.h"

namespace corefleet {

// How much of the device the spool may have. All hold at once.
struct SpoolLimits {
  uint64_t max_bytes = uint64_t{256} << 20;      // of all files, as they lie on the disk
  uint64_t min_free_bytes = uint64_t{64} << 20;  // left to others on the file system
  uint64_t min_free_inodes = 200;                // left to others; not looked at where they are not counted
  uint32_t max_entries = 500;
  absl::Duration max_age = absl::Hours(24 * 30);  // of the time that the device was up
  uint64_t max_crash_bytes = uint64_t{8} << 30;   // of one crash's regions, before encoding
};

// An entry's name for as long as the spool exists. Larger is later.
using SpoolId = uint64_t;

// What is known of a crash beside its bytes.
struct SpoolTags {
  DeviceId device;      // whose crash it is; may be empty: of the device that sends it
  CrashClues clues;     // may be empty in every part
  std::string boot_id;  // of the boot that found it
  std::string note;     // at most 1024 bytes of UTF-8
};

struct SpoolEntry {
  SpoolId id = 0;
  CrashUid uid;
  SpoolTags tags;             // with the clues that SetClues gave
  uint64_t stored_bytes = 0;  // as it lies on the disk
  uint64_t raw_bytes = 0;     // of its regions, before encoding
  uint32_t regions = 0;
  absl::Duration age;        // of the time that the device was up
  absl::Duration wait;       // stay away from the server so long: KeepRest, Postpone; 0: now
  bool rest_only = false;    // the server has its log: KeepRest
  bool clues_tried = false;  // SetClues or CluesFailed was called: never try again
};

enum class PutOutcome {
  kSpooled,
  kAlreadySpooled,  // it is there: `id` names it
  kAlreadySent,     // Known said so
};

struct PutResult {
  PutOutcome outcome = PutOutcome::kSpooled;
  SpoolId id = 0;  // 0 when already sent
  CrashUid uid;
};

// For `status` and metrics.
struct SpoolStats {
  uint32_t entries = 0;
  uint64_t bytes = 0;                         // as they lie on the disk, quarantined ones included
  uint32_t quarantined = 0;                   // files that are kept because they are damaged
  uint32_t kinds = 0;                         // how many kinds of crashes wait
  absl::Duration oldest;                      // age; 0 without entries
  uint64_t rests_dropped = 0;                 // since start: LOG_ONLY's rests for which there was no room
  bool read_only = false;                     // the last write failed because the file system takes none
  std::array<uint64_t, kLossReasons> lost{};  // by LossReason, in the epochs that are remembered
  bool losses_unsaved = false;                // the ledger could not be written: counts are in memory
  SpoolFolder::Room room;                     // zeros when the system does not say
};

// Keeps crashes on the device until they are sent: docs/formats/spool.md.
//   1. Put makes a crash durable. Only then may the device's own copy go.
//   2. List says what to send, best first; OpenEntry reads it.
//   3. Sent, Refused, KeepRest or Postpone says what the server answered.
// What there is no room for is dropped by a rule: a crash that loops loses first, from the middle of its row,
// and never the only one of its kind while another kind has several. Each loss is counted with a reason,
// exactly once, whatever happens: power cuts, full disks, no inodes. On a read-only file system it goes on
// sending, and counts in memory.
//
// No decision rests on the wall clock. Order is by number; age is the time the device was up, counted over
// restarts.
//
// Thread-safe. One Put at a time runs, and the others go on beside it.
class Spool {
 public:
  struct Dependencies {
    BootClock* clock = nullptr;  // null: the real one
    std::string boot_id;         // of this boot
    // True for a crash that a server has already: nothing is kept then. Called by Put and PutEncoded, in
    // their thread; may be empty.
    std::function<bool(const CrashUid&)> known;
  };

  // Reads what is there: finishes what a power cut interrupted, quarantines damaged entries and counts them.
  // Never fails because of an entry.
  //   UNAVAILABLE  the folder cannot be read
  static absl::StatusOr<std::unique_ptr<Spool>> Open(std::unique_ptr<SpoolFolder> folder,
                                                     const SpoolLimits& limits, Dependencies dependencies);
  virtual ~Spool() = default;

  // Makes a crash durable, reading every region once and from front to end, 64 KiB at a time. Room is made
  // first. When it returns OK the crash survives kill -9 and a power cut; else nothing is left of it, and the
  // device's own copy must stay.
  //   INVALID_ARGUMENT     it can never be sent as it is
  //   OUT_OF_RANGE         larger than the limits: CountLoss(kTooLarge) if it is given up
  //   RESOURCE_EXHAUSTED   no room now, and none could be made
  //   FAILED_PRECONDITION  the file system is read-only
  //   other codes          ByteSource::ReadAt's, SpoolFile's
  virtual absl::StatusOr<PutResult> Put(const RegionSet& regions, const SpoolTags& tags) = 0;
  // The same of one that is encoded already: out of another spool. Every byte is checked against its digest
  // before anything of it is visible.
  //   DATA_LOSS  a digest differs
  virtual absl::StatusOr<PutResult> PutEncoded(OutgoingCrash& crash, const SpoolTags& tags) = 0;

  // All entries in the order of sending: what need not wait first, then larger priority, then the kinds in
  // turn, the oldest of each first; rests last.
  virtual std::vector<SpoolEntry> List() const = 0;
  // NOT_FOUND.
  virtual absl::StatusOr<SpoolEntry> Find(SpoolId id) const = 0;
  // Reads as long as it likes, even if the entry goes meanwhile; no room is made at the cost of an open one.
  // The bytes of each chunk are checked against the digest before they are given out.
  //   NOT_FOUND    no such entry
  //   DATA_LOSS    it is damaged: call Quarantine
  //   UNAVAILABLE  it cannot be opened now
  virtual absl::StatusOr<std::unique_ptr<OutgoingCrash>> OpenEntry(SpoolId id) = 0;

  // A server has it: the entry goes. Not OK: it will be offered again after a restart, which costs the server
  // one question. All of these: OK if there is no such entry.
  virtual absl::Status Sent(SpoolId id) = 0;
  // The server will never take it, and has counted it: the entry goes, and is no loss of the device's.
  virtual absl::Status Refused(SpoolId id) = 0;
  // The server took the log only and may want the rest in a while. First to go when room is needed, without
  // being counted: the server has the crash.
  virtual absl::Status KeepRest(SpoolId id, absl::Duration ask_again) = 0;
  // The server said when to come back with this one. Forgotten at the end of the process.
  virtual void Postpone(SpoolId id, absl::Duration wait) = 0;
  // Given up by the device itself: counted, and gone.
  virtual absl::Status Drop(SpoolId id, LossReason reason) = 0;
  // Reading it gave DATA_LOSS: counted, and put aside for a person to look at as long as there is room.
  virtual absl::Status Quarantine(SpoolId id) = 0;

  // Clues that were read from the entry; kept with it. What is empty in them leaves what was there. Strings
  // are cut at 256 bytes.
  virtual absl::Status SetClues(SpoolId id, const CrashClues& clues) = 0;
  // Nothing could be read, or it took the reader's life: not tried again.
  virtual absl::Status CluesFailed(SpoolId id) = 0;

  // Counts a crash that never got into the spool. `what` names it and its state, so that the same one is not
  // counted again after a restart (of the last 64 that is remembered); empty: counted each time.
  virtual void CountLoss(LossReason reason, absl::string_view what) = 0;
  // What to report with the next upload, and that the server has heard it. The same account is given out
  // until then; afterwards perhaps one of another epoch.
  virtual LossAccount Losses() const = 0;
  virtual void LossesReported(const LossAccount& account) = 0;

  // Drops what is too old and what the limits no longer allow, and writes what could not be written. Call it
  // at each wake-up. Only a crash that loops makes way for other programs' files; a rare one does not.
  virtual void Tidy() = 0;
  virtual SpoolStats Stats() const = 0;

  // An entry's file, for ReadClues and ExportEntry. NOT_FOUND.
  virtual absl::StatusOr<std::unique_ptr<SpoolBytes>> EntryBytes(SpoolId id) = 0;
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SPOOL_SPOOL_H_

#ifndef COREFLEET_COLLECTOR_SPOOL_DURABLE_SPOOL_H_
#define COREFLEET_COLLECTOR_SPOOL_DURABLE_SPOOL_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"
#include "collector/spool/drop_order.h"
#include "collector/spool/entry_file.h"
#include "collector/spool/loss_ledger.h"
#include "collector/spool/spool.h"

namespace corefleet {

// The spool in a folder: what Spool::Open gives.
class DurableSpool final : public Spool {
 public:
  DurableSpool(std::unique_ptr<SpoolFolder> folder, const SpoolLimits& limits, Dependencies dependencies);
  // Reads the folder. Call it once, before anything else.
  absl::Status Load();

  absl::StatusOr<PutResult> Put(const RegionSet& regions, const SpoolTags& tags) override;
  absl::StatusOr<PutResult> PutEncoded(OutgoingCrash& crash, const SpoolTags& tags) override;
  std::vector<SpoolEntry> List() const override;
  absl::StatusOr<SpoolEntry> Find(SpoolId id) const override;
  absl::StatusOr<std::unique_ptr<OutgoingCrash>> OpenEntry(SpoolId id) override;
  absl::Status Sent(SpoolId id) override;
  absl::Status Refused(SpoolId id) override;
  absl::Status KeepRest(SpoolId id, absl::Duration ask_again) override;
  void Postpone(SpoolId id, absl::Duration wait) override;
  absl::Status Drop(SpoolId id, LossReason reason) override;
  absl::Status Quarantine(SpoolId id) override;
  absl::Status SetClues(SpoolId id, const CrashClues& clues) override;
  absl::Status CluesFailed(SpoolId id) override;
  void CountLoss(LossReason reason, absl::string_view what) override;
  LossAccount Losses() const override;
  void LossesReported(const LossAccount& account) override;
  void Tidy() override;
  SpoolStats Stats() const override;
  absl::StatusOr<std::unique_ptr<SpoolBytes>> EntryBytes(SpoolId id) override;

 private:
  // One entry, as it lies in the folder.
  struct Held {
    SpoolTags tags;
    CrashUid uid;
    EntryState state;
    uint64_t put_at = 0;
    uint64_t raw_bytes = 0;
    uint64_t file_bytes = 0;
    uint64_t footer_end = 0;
    uint64_t state_end = 0;
    uint32_t regions = 0;
    absl::Duration postponed;  // until then, on Up()'s clock; not kept
    std::shared_ptr<void> lease = std::make_shared<int>(0);

    bool open() const { return lease.use_count() > 1; }
  };
  using Entries = std::map<SpoolId, Held>;
  using Victims = std::vector<std::pair<SpoolId, LossReason>>;

  // An entry that is being written: its file, and the room that was made for it.
  struct Incoming {
    SpoolId id = 0;
    std::unique_ptr<SpoolFile> file;
    SpoolTags tags;
    uint64_t worst = 0;     // bytes that it can take at most
    uint64_t reserved = 0;  // bytes of the spool that are its own
  };
  // Adds all chunks to the writer.
  using Fill = absl::FunctionRef<absl::Status(EntryWriter*, Incoming*)>;

  // --- Putting (put.cc).
  absl::StatusOr<PutResult> Write(Manifest manifest, const SpoolTags& tags, Fill fill)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<PutResult> WriteInto(Incoming* incoming, Manifest manifest, Fill fill)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Begin(Incoming* incoming) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status AddChunk(EntryWriter* writer, Incoming* incoming, const Sha256Digest& digest,
                        const EncodedChunk& chunk) ABSL_LOCKS_EXCLUDED(mutex_);
  // Makes room so that `incoming` may grow to `bytes`, and for so many more files.
  absl::Status Reserve(Incoming* incoming, uint64_t bytes, uint64_t files) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<PutResult> Publish(const Incoming& incoming, const EntryWriter& writer, uint64_t put_at,
                                    const CrashUid& uid) ABSL_LOCKS_EXCLUDED(mutex_);

  // --- Room (room.cc).
  SpoolUse Use() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<Waiting> AllWaiting() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Damaged files that are kept only to be looked at go first.
  void DropQuarantined(const SpoolLimits& limits, uint64_t bytes, uint64_t files)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status MakeRoom(const Waiting* incoming, Mercy mercy, const SpoolLimits& limits, uint64_t bytes,
                        uint64_t files) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Counts and removes; rests are not counted.
  absl::Status DropAll(const Victims& victims) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status DropCounted(const Victims& victims) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Remove(SpoolId id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DropTooOld() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // --- Loading (load.cc).
  void LoadEntry(SpoolId id, uint64_t file_bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status PutAside(SpoolId id, uint64_t file_bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StartClock() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RemoveGone() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // How long the device has been up, of all its boots.
  absl::Duration Up() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status SaveLedger() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StampLedger() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status SaveState(SpoolId id, Held* held) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  SpoolEntry Describe(SpoolId id, const Held& held) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Remembers that the file system takes no writes, or does again.
  absl::Status Noted(absl::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::unique_ptr<SpoolFolder> folder_;
  const SpoolLimits limits_;
  const Dependencies dependencies_;

  absl::Mutex put_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  mutable absl::Mutex mutex_;
  Entries entries_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, uint64_t> quarantined_ ABSL_GUARDED_BY(mutex_);  // names, bytes
  uint64_t reserved_bytes_ ABSL_GUARDED_BY(mutex_) = 0;                  // of the entry that is written
  uint64_t unread_bytes_ ABSL_GUARDED_BY(mutex_) = 0;                    // of entries that could not be read
  std::unique_ptr<LossLedger> ledger_ ABSL_GUARDED_BY(mutex_);
  absl::Duration up_at_start_ ABSL_GUARDED_BY(mutex_);
  absl::Duration boot_at_start_ ABSL_GUARDED_BY(mutex_);
  absl::Duration stamped_ ABSL_GUARDED_BY(mutex_);  // Up() when the ledger was saved
  uint64_t rests_dropped_ ABSL_GUARDED_BY(mutex_) = 0;
  bool read_only_ ABSL_GUARDED_BY(mutex_) = false;
};

// File names: SIXTEEN-HEX-DIGITS.crash, .part while it is written, .damaged.
std::string EntryName(SpoolId id);
// What a file of so many bytes takes on a file system of 4 KiB blocks.
uint64_t OnDisk(uint64_t bytes);
// Seconds as they stand in a file, thirty thousand years at most.
absl::Duration StoredSeconds(uint64_t count);
// True when the file system lets nothing be written, as after a remount for reading only.
bool TakesNoWrites(const absl::Status& status);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SPOOL_DURABLE_SPOOL_H_

#ifndef COREFLEET_STORAGE_SEGMENT_FAULTY_FILE_SYSTEM_H_
#define COREFLEET_STORAGE_SEGMENT_FAULTY_FILE_SYSTEM_H_

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "storage/segment/file_system.h"

namespace corefleet {

// A disk in memory whose power can be cut, that can be full, and that can fail. It keeps apart what a reader
// sees (the page cache) and what is on the platter, as Linux does: a failed sync leaves the bytes to be read
// and never to be synced again. Thread-safe. For tests.
class FaultyFileSystem final : public FileSystem {
 public:
  absl::StatusOr<std::vector<Entry>> List(const std::string& dir) override;
  absl::StatusOr<Entry> Find(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<AppendFile>> Create(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<ReadFile>> OpenForReading(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<PatchFile>> OpenForPatching(const std::string& path) override;
  absl::Status SyncDirectory(const std::string& dir) override;
  void Remove(const std::string& path) override;
  void DropCache(const std::string& path) override;
  uint64_t FreeBytes(const std::string& dir) override;

  // Forgets every name and byte that was not synced. Of bytes that were appended and not synced the first
  // `torn` are kept, the last of them wrong, as a disk leaves them that was writing when the power went. Open
  // files stay usable, as no real one would.
  void CutPower(size_t torn = 0);
  // The same as a real disk does it: of every change that was not synced, in any order, all, a part, a wrong
  // part or nothing is there; a name, or the removal of one, may be. The same seed gives the same loss.
  void CutPowerAtRandom(uint64_t seed);
  // The power goes in the middle of the `changes`-th change from now (1: the next): that one and all that
  // follow fail with UNAVAILABLE until CutPower or CutPowerAtRandom. 0: it does not.
  void LosePowerAfter(int changes);
  bool dead() const;
  // The same for a process that was killed there, on a machine that lives: what was written is there.
  void Resume();
  // Room for this many more bytes; a write beyond is cut short and fails.
  void SetFreeBytes(uint64_t bytes);
  // The next sync of a file fails, and what it had to sync never becomes durable; the one after it succeeds.
  void FailNextSync();
  void FailNextDirectorySync();
  // Every sync waits until this is called with false.
  void HoldSyncs(bool hold);
  // Waits until `count` appends have been made since the start.
  void AwaitAppends(int count);
  // The files that DropCache named so far.
  std::vector<std::string> uncached() const;
  // Whether holes can be made. Not every file system can.
  void SetPunching(bool can);
  // What time changed files get.
  void SetNow(absl::Time now);
  // Turns over one bit, on the platter and in the cache. The file must be that long.
  void Damage(const std::string& path, uint64_t offset);

  // What went wrong so far.
  struct Faults {
    int power_cuts = 0;
    int torn_changes = 0;  // of those that a cut at random found unsynced: a part, or a wrong part, was kept
    int forgotten_changes = 0;
    int failed_syncs = 0;
    int failed_directory_syncs = 0;
    int full = 0;  // writes that found no room
  };
  Faults faults() const;
  int syncs() const;
  size_t files() const;

 private:
  // A change that is not on the platter yet.
  struct Change {
    enum Kind { kAppend, kWrite, kPunch, kTruncate } kind = kAppend;
    uint64_t offset = 0;
    uint64_t size = 0;
    std::vector<uint8_t> bytes;
  };
  struct File {
    std::vector<uint8_t> cache;
    std::vector<uint8_t> platter;
    std::vector<Change> pending;  // in the order in which they were made
    uint64_t holes = 0;           // bytes punched
    bool name_synced = false;
    absl::Time changed_at;
  };
  class Appender;
  class Reader;
  class Patcher;

  static void Apply(const Change& change, std::vector<uint8_t>* image);
  void Record(Change change, File* file) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // UNAVAILABLE when there is no power, or it goes with this very change.
  absl::Status Spend() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status AppendPart(ByteView part, File* file) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Append(File* file, absl::Span<const ByteView> parts);
  absl::Status Sync(File* file);
  void PowerIsBack() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  std::map<std::string, std::shared_ptr<File>> files_ ABSL_GUARDED_BY(mutex_);
  // Whose removal is not durable yet.
  std::map<std::string, std::shared_ptr<File>> removed_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> uncached_ ABSL_GUARDED_BY(mutex_);
  uint64_t free_bytes_ ABSL_GUARDED_BY(mutex_) = uint64_t{1} << 30;
  bool fail_sync_ ABSL_GUARDED_BY(mutex_) = false;
  bool fail_directory_sync_ ABSL_GUARDED_BY(mutex_) = false;
  bool hold_syncs_ ABSL_GUARDED_BY(mutex_) = false;
  bool punching_ ABSL_GUARDED_BY(mutex_) = true;
  bool dead_ ABSL_GUARDED_BY(mutex_) = false;
  int changes_left_ ABSL_GUARDED_BY(mutex_) = 0;
  Faults faults_ ABSL_GUARDED_BY(mutex_);
  int syncs_ ABSL_GUARDED_BY(mutex_) = 0;
  int appends_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time now_ ABSL_GUARDED_BY(mutex_) = absl::FromUnixSeconds(1'800'000'000);
};

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_SEGMENT_FAULTY_FILE_SYSTEM_H_

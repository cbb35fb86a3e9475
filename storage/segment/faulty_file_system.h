#ifndef COREFLEET_STORAGE_SEGMENT_FAULTY_FILE_SYSTEM_H_
#define COREFLEET_STORAGE_SEGMENT_FAULTY_FILE_SYSTEM_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "storage/segment/file_system.h"

namespace corefleet {

// A disk in memory whose power can be cut, that can be full, and that can fail. Thread-safe. For tests.
class FaultyFileSystem final : public FileSystem {
 public:
  struct File {
    std::vector<uint8_t> bytes;
    size_t synced = 0;         // bytes that survive a power cut
    bool name_synced = false;  // the name does
  };

  absl::StatusOr<std::vector<Entry>> List(const std::string& dir) override;
  absl::StatusOr<std::unique_ptr<AppendFile>> Create(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<ReadFile>> OpenForReading(const std::string& path) override;
  absl::Status SyncDirectory(const std::string& dir) override;
  void Remove(const std::string& path) override;
  uint64_t FreeBytes(const std::string& dir) override;

  // Forgets every name and byte that was not synced. Of unsynced bytes the first `torn` are kept, the last of
  // them wrong, as a disk leaves them that was writing when the power went. Open files stay usable, as no
  // real one would.
  void CutPower(size_t torn = 0);
  // Room for this many more bytes; a write beyond is cut short and fails.
  void SetFreeBytes(uint64_t bytes);
  // The next sync of a file fails, and drops its unsynced bytes as Linux does; the one after it succeeds.
  void FailNextSync();
  void FailNextDirectorySync();
  // Every sync waits until this is called with false.
  void HoldSyncs(bool hold);
  // Waits until `count` appends have been made since the start.
  void AwaitAppends(int count);

  int syncs() const;
  size_t files() const;

 private:
  class Appender;
  class Reader;

  absl::Status Append(File* file, absl::Span<const ByteView> parts);
  absl::Status Sync(File* file);

  mutable absl::Mutex mutex_;
  std::map<std::string, std::shared_ptr<File>> files_ ABSL_GUARDED_BY(mutex_);
  uint64_t free_bytes_ ABSL_GUARDED_BY(mutex_) = uint64_t{1} << 30;
  bool fail_sync_ ABSL_GUARDED_BY(mutex_) = false;
  bool fail_directory_sync_ ABSL_GUARDED_BY(mutex_) = false;
  bool hold_syncs_ ABSL_GUARDED_BY(mutex_) = false;
  int syncs_ ABSL_GUARDED_BY(mutex_) = 0;
  int appends_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_SEGMENT_FAULTY_FILE_SYSTEM_H_

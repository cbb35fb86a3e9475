#ifndef COREFLEET_STORAGE_SEGMENT_SEGMENT_PACK_STORE_H_
#define COREFLEET_STORAGE_SEGMENT_SEGMENT_PACK_STORE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "storage/pack_store.h"
#include "storage/segment/file_system.h"
#include "storage/segment/segment_scan.h"

namespace corefleet {

struct SegmentPackStoreOptions {
  uint64_t segment_bytes = uint64_t{64} << 20;  // a segment is closed when it has grown to this many bytes
  size_t max_open_segments = 64;                // descriptors kept for reading
  // Closed segments that stay in the system's page cache, where analysis finds what has just come. Without a
  // bound every byte that arrives takes a page that was never used, which can cost more than writing it.
  size_t cached_segments = 4;
  FileSystem* file_system = nullptr;  // null: the real one; must outlive the store
};

// Packs in append-only files on a local disk (docs/formats/segment.md). Every start begins a new segment, and
// nothing is ever appended to one whose write or sync has failed, so a torn tail can only be at a segment's
// end and is never built upon. Writers append in turn and share one fdatasync. Thread-safe.
class SegmentPackStore final : public PackStore {
 public:
  // `dir` must exist and belong to this process alone.
  //   INTERNAL  it cannot be read
  static absl::StatusOr<std::unique_ptr<SegmentPackStore>> Open(const std::string& dir,
                                                                SegmentPackStoreOptions options = {});
  ~SegmentPackStore() override;

  absl::StatusOr<std::unique_ptr<WrittenPack>> Write(absl::Span<const ByteView> pieces) override;
  absl::Status Read(const PackRef& ref, uint64_t offset, absl::Span<uint8_t> out) override;
  absl::StatusOr<std::vector<std::string>> ClosedKeys() override;
  absl::StatusOr<KeyContents> Contents(const std::string& key) override;
  absl::Status Release(const PackRef& ref) override;
  absl::Status Remove(const std::string& key) override;
  uint64_t StoredBytes() override;
  uint64_t FreeBytes() override;

 private:
  // A segment that is or was written to. Shared by the packs in it that are not known to be durable.
  struct Segment {
    std::string name;
    std::unique_ptr<AppendFile> file;
    uint64_t size = 0;     // bytes appended
    uint64_t synced = 0;   // bytes known to be durable
    bool syncing = false;  // one waiter is inside Sync for all
    absl::Status failure;  // of Sync: what is not synced will never be
  };

  class Written;

  SegmentPackStore(std::string dir, SegmentPackStoreOptions options, uint64_t next_number,
                   uint64_t stored_bytes);

  absl::Status EnsureActive() ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  void DropOldCaches() ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  // Appends a record of `size` bytes that starts with its header, and says in `ref` where its pack lies.
  absl::Status Append(absl::Span<const ByteView> record, uint64_t size, PackRef* ref)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  // Waits until the first `end` bytes of the segment are durable. Whoever comes first syncs for all.
  absl::Status AwaitSync(Segment* segment, uint64_t end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  void SyncForAll(Segment* segment) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  // Nothing more is written to the active segment; its torn tail is given back.
  void AbandonActive() ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  // True while somebody appends to the segment or has a pack in it that may yet be synced.
  bool InUse(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  absl::Status CheckClosed(const std::string& name);
  // Gives back the room of released packs where a power cut has undone that.
  void FinishReleases(const std::string& name, ReadFile* file, const std::vector<ScannedRecord>& records);
  absl::Status CheckRecord(ReadFile* file, const PackRef& ref);
  std::string PathOf(const std::string& name) const;
  absl::StatusOr<std::shared_ptr<ReadFile>> OpenForReading(const std::string& name);

  const std::string dir_;
  const SegmentPackStoreOptions options_;
  FileSystem* const files_;

  // Held around what changes a closed segment. Taken before the others.
  absl::Mutex release_mutex_;

  absl::Mutex write_mutex_;
  absl::CondVar synced_;  // some segment's synced, syncing or failure has changed
  std::shared_ptr<Segment> active_ ABSL_GUARDED_BY(write_mutex_);
  // Of this run, by name. One that nobody holds any more is closed.
  std::map<std::string, std::weak_ptr<Segment>> written_ ABSL_GUARDED_BY(write_mutex_);
  std::deque<std::string> cached_
      ABSL_GUARDED_BY(write_mutex_);  // names of closed segments, the oldest first
  uint64_t next_number_ ABSL_GUARDED_BY(write_mutex_);
  uint64_t stored_bytes_ ABSL_GUARDED_BY(write_mutex_);

  absl::Mutex read_mutex_;
  // Most recently used first.
  std::list<std::pair<std::string, std::shared_ptr<ReadFile>>> open_ ABSL_GUARDED_BY(read_mutex_);
};

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_SEGMENT_SEGMENT_PACK_STORE_H_

#include "storage/segment/segment_pack_store.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "core/bytes/byte_source.h"
#include "storage/segment/segment_format.h"

namespace corefleet {
namespace {

// Enough of a released pack to see whether its room was given back: no pack starts with zeros.
constexpr size_t kPeekBytes = 8;

bool IsZero(ByteView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

}  // namespace

absl::StatusOr<std::unique_ptr<SegmentPackStore>> SegmentPackStore::Open(const std::string& dir,
                                                                         SegmentPackStoreOptions options) {
  if (options.file_system == nullptr) options.file_system = FileSystem::Real();
  ASSIGN_OR_RETURN(const std::vector<FileSystem::Entry> entries, options.file_system->List(dir));
  uint64_t next_number = 1;
  uint64_t stored_bytes = 0;
  for (const FileSystem::Entry& entry : entries) {
    const auto number = SegmentNumber(entry.name);
    if (!number) continue;
    next_number = std::max(next_number, *number + 1);
    stored_bytes += entry.occupied;
  }
  return std::unique_ptr<SegmentPackStore>(new SegmentPackStore(dir, options, next_number, stored_bytes));
}

SegmentPackStore::SegmentPackStore(std::string dir, SegmentPackStoreOptions options, uint64_t next_number,
                                   uint64_t stored_bytes)
    : dir_(std::move(dir)),
      options_(options),
      files_(options.file_system),
      next_number_(next_number),
      stored_bytes_(stored_bytes) {}

SegmentPackStore::~SegmentPackStore() = default;

std::string SegmentPackStore::PathOf(const std::string& name) const { return absl::StrCat(dir_, "/", name); }

class SegmentPackStore::Written final : public WrittenPack {
 public:
  Written(SegmentPackStore* store, std::shared_ptr<Segment> segment, PackRef ref)
      : WrittenPack(std::move(ref)), store_(store), segment_(std::move(segment)) {}

  absl::Status Sync() override {
    absl::MutexLock lock(&store_->write_mutex_);
    return store_->AwaitSync(segment_.get(), ref().offset + ref().size);
  }

 private:
  SegmentPackStore* const store_;
  const std::shared_ptr<Segment> segment_;
};

absl::StatusOr<std::unique_ptr<WrittenPack>> SegmentPackStore::Write(absl::Span<const ByteView> pieces) {
  const auto header = EncodeRecordHeader(pieces);
  std::vector<ByteView> record = {header};
  record.insert(record.end(), pieces.begin(), pieces.end());
  uint64_t size = 0;
  for (const ByteView piece : record) size += piece.size();
  if (size - header.size() > kMaxPackBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("a pack of ", size - header.size(), " bytes is too large"));
  }
  absl::MutexLock lock(&write_mutex_);
  RETURN_IF_ERROR(EnsureActive());
  PackRef ref;
  if (absl::Status status = Append(record, size, &ref); !status.ok()) {
    AbandonActive();
    return status;
  }
  return std::make_unique<Written>(this, active_, std::move(ref));
}

absl::Status SegmentPackStore::EnsureActive() {
  if (active_ != nullptr && active_->size < options_.segment_bytes) return absl::OkStatus();
  if (active_ != nullptr) cached_.push_back(active_->name);
  DropOldCaches();
  auto segment = std::make_shared<Segment>();
  segment->name = SegmentName(next_number_++);
  ASSIGN_OR_RETURN(segment->file, files_->Create(PathOf(segment->name)));
  for (auto it = written_.begin(); it != written_.end();) {
    it = it->second.expired() ? written_.erase(it) : std::next(it);
  }
  written_[segment->name] = segment;
  active_ = std::move(segment);
  absl::Status status = active_->file->Append({BytesOf(kSegmentMagic)});
  // The name must be as durable as what will be acknowledged out of it.
  if (status.ok()) status = files_->SyncDirectory(dir_);
  if (!status.ok()) {
    AbandonActive();
    return status;
  }
  active_->size = kSegmentMagic.size();
  stored_bytes_ += kSegmentMagic.size();
  return absl::OkStatus();
}

void SegmentPackStore::DropOldCaches() {
  for (; cached_.size() > options_.cached_segments; cached_.pop_front()) {
    files_->DropCache(PathOf(cached_.front()));
  }
}

absl::Status SegmentPackStore::Append(absl::Span<const ByteView> record, uint64_t size, PackRef* ref) {
  RETURN_IF_ERROR(active_->file->Append(record));
  *ref = {
      .key = active_->name, .offset = active_->size + kRecordHeaderBytes, .size = size - kRecordHeaderBytes};
  active_->size += size;
  stored_bytes_ += size;
  return absl::OkStatus();
}

void SegmentPackStore::AbandonActive() {
  // Packs before the tear are whole, and whoever waits for them may still sync them. A disk that is full
  // would otherwise fill up with the tears and the empty segments of every retry.
  active_->file->Truncate(active_->size);
  if (active_->size <= kSegmentMagic.size()) {
    files_->Remove(PathOf(active_->name));
    stored_bytes_ -= active_->size;
  }
  active_ = nullptr;
}

absl::Status SegmentPackStore::AwaitSync(Segment* segment, uint64_t end) {
  while (segment->synced < end) {
    if (!segment->failure.ok()) return segment->failure;
    if (segment->syncing) {
      synced_.Wait(&write_mutex_);
    } else {
      SyncForAll(segment);
    }
  }
  return absl::OkStatus();
}

void SegmentPackStore::SyncForAll(Segment* segment) {
  segment->syncing = true;
  const uint64_t covers = segment->size;
  write_mutex_.Unlock();
  const absl::Status status = segment->file->Sync();
  write_mutex_.Lock();
  segment->syncing = false;
  if (status.ok()) {
    segment->synced = std::max(segment->synced, covers);
  } else {
    // The kernel reports a lost page once. A second sync would say OK, and lie.
    segment->failure = status;
    if (active_.get() == segment) active_ = nullptr;
    // Nor may anybody who reads the cache later believe in what the disk does not have.
    segment->file->Truncate(segment->synced);
    stored_bytes_ -= std::min(stored_bytes_, segment->size - segment->synced);
  }
  synced_.SignalAll();
}

absl::Status SegmentPackStore::Read(const PackRef& ref, uint64_t offset, absl::Span<uint8_t> out) {
  RETURN_IF_ERROR(CheckRange(offset, out.size(), ref.size));
  if (ref.offset > UINT64_MAX / 2 || ref.size > UINT64_MAX / 4) {
    return absl::NotFoundError(absl::StrCat("no pack at ", ref.offset, " of ", ref.key));
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<ReadFile> file, OpenForReading(ref.key));
  RETURN_IF_ERROR(CheckRecord(file.get(), ref));
  return file->ReadAt(ref.offset + offset, out);
}

absl::StatusOr<std::shared_ptr<ReadFile>> SegmentPackStore::OpenForReading(const std::string& name) {
  if (!SegmentNumber(name)) return absl::NotFoundError("no segment has such a name");
  absl::MutexLock lock(&read_mutex_);
  for (auto it = open_.begin(); it != open_.end(); ++it) {
    if (it->first != name) continue;
    open_.splice(open_.begin(), open_, it);
    return it->second;
  }
  ASSIGN_OR_RETURN(std::shared_ptr<ReadFile> file, files_->OpenForReading(PathOf(name)));
  open_.emplace_front(name, file);
  if (open_.size() > options_.max_open_segments) open_.pop_back();
  return file;
}

// So that a stale reference gives an error and not somebody else's bytes, or a hole's zeros.
absl::Status SegmentPackStore::CheckRecord(ReadFile* file, const PackRef& ref) {
  if (ref.offset < kRecordHeaderBytes) return absl::NotFoundError("no pack lies there");
  std::array<uint8_t, kRecordHeaderBytes> bytes;
  RETURN_IF_ERROR(file->ReadAt(ref.offset - bytes.size(), absl::MakeSpan(bytes)));
  const auto header = DecodeRecordHeader(bytes);
  if (!header || header->size != ref.size) {
    return absl::DataLossError(
        absl::StrCat("no pack of ", ref.size, " bytes at ", ref.offset, " of ", ref.key));
  }
  if (header->released) return absl::NotFoundError("the pack was released");
  return absl::OkStatus();
}

bool SegmentPackStore::InUse(const std::string& name) {
  const auto it = written_.find(name);
  return it != written_.end() && !it->second.expired();
}

absl::Status SegmentPackStore::CheckClosed(const std::string& name) {
  if (!SegmentNumber(name)) return absl::NotFoundError("no segment has such a name");
  absl::MutexLock lock(&write_mutex_);
  if (!InUse(name)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(name, " is still written to"));
}

absl::StatusOr<std::vector<std::string>> SegmentPackStore::ClosedKeys() {
  // Listed under the lock: a segment that is made meanwhile must not look like one that nobody writes to.
  absl::MutexLock lock(&write_mutex_);
  const auto entries = files_->List(dir_);
  if (!entries.ok()) return absl::UnavailableError(entries.status().message());
  std::vector<std::string> keys;
  for (const FileSystem::Entry& entry : *entries) {
    if (SegmentNumber(entry.name) && !InUse(entry.name)) keys.push_back(entry.name);
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

absl::StatusOr<PackStore::KeyContents> SegmentPackStore::Contents(const std::string& key) {
  RETURN_IF_ERROR(CheckClosed(key));
  ASSIGN_OR_RETURN(const FileSystem::Entry entry, files_->Find(PathOf(key)));
  ASSIGN_OR_RETURN(const std::unique_ptr<ReadFile> file, files_->OpenForReading(PathOf(key)));
  ASSIGN_OR_RETURN(const SegmentScan scan, ScanSegment(file.get(), entry.size));
  KeyContents contents{.damaged = scan.damaged, .changed_at = entry.changed_at};
  for (const ScannedRecord& record : scan.records) {
    if (record.released) continue;
    contents.packs.push_back({{.key = key, .offset = record.offset, .size = record.size}, record.session});
  }
  FinishReleases(key, file.get(), scan.records);
  return contents;
}

void SegmentPackStore::FinishReleases(const std::string& name, ReadFile* file,
                                      const std::vector<ScannedRecord>& records) {
  std::unique_ptr<PatchFile> patch;
  for (const ScannedRecord& record : records) {
    std::array<uint8_t, kPeekBytes> front{};
    const auto peek = absl::MakeSpan(front).subspan(0, std::min<uint64_t>(kPeekBytes, record.size));
    if (!record.released || !file->ReadAt(record.offset, peek).ok() || IsZero(front)) continue;
    if (patch == nullptr) {
      auto opened = files_->OpenForPatching(PathOf(name));
      if (!opened.ok()) return;
      patch = *std::move(opened);
    }
    if (!patch->Punch(record.offset, record.size).ok()) return;
  }
}

absl::Status SegmentPackStore::Release(const PackRef& ref) {
  RETURN_IF_ERROR(CheckClosed(ref.key));
  absl::MutexLock lock(&release_mutex_);
  const auto file = files_->OpenForReading(PathOf(ref.key));
  if (absl::IsNotFound(file.status())) return absl::OkStatus();
  RETURN_IF_ERROR(file.status());
  const absl::Status record = CheckRecord(file->get(), ref);
  if (absl::IsNotFound(record)) return absl::OkStatus();
  // Never a hole where no record is known to be.
  if (absl::IsDataLoss(record)) return absl::FailedPreconditionError(record.message());
  RETURN_IF_ERROR(record);
  ASSIGN_OR_RETURN(const std::unique_ptr<PatchFile> patch, files_->OpenForPatching(PathOf(ref.key)));
  // The mark is durable before the bytes go: a power cut leaves a live pack, or a released one whose room
  // Contents gives back; never a record that looks damaged.
  RETURN_IF_ERROR(patch->WriteAt(ref.offset - kRecordHeaderBytes + kRecordStateAt, {&kReleasedMark, 1}));
  RETURN_IF_ERROR(patch->Sync());
  const absl::Status punched = patch->Punch(ref.offset, ref.size);
  // What this file system cannot give back goes with the whole segment.
  if (absl::IsUnimplemented(punched)) return absl::OkStatus();
  RETURN_IF_ERROR(punched);
  absl::MutexLock write_lock(&write_mutex_);
  stored_bytes_ -= std::min(stored_bytes_, ref.size);
  return absl::OkStatus();
}

absl::Status SegmentPackStore::Remove(const std::string& key) {
  RETURN_IF_ERROR(CheckClosed(key));
  absl::MutexLock lock(&release_mutex_);
  const auto entry = files_->Find(PathOf(key));
  if (absl::IsNotFound(entry.status())) return absl::OkStatus();
  RETURN_IF_ERROR(entry.status());
  files_->Remove(PathOf(key));
  if (files_->Find(PathOf(key)).ok()) return absl::UnavailableError(absl::StrCat("cannot remove ", key));
  {
    // A descriptor would keep the room.
    absl::MutexLock read_lock(&read_mutex_);
    open_.remove_if([&key](const auto& open) { return open.first == key; });
  }
  {
    absl::MutexLock write_lock(&write_mutex_);
    stored_bytes_ -= std::min(stored_bytes_, entry->occupied);
  }
  return files_->SyncDirectory(dir_);
}

uint64_t SegmentPackStore::StoredBytes() {
  absl::MutexLock lock(&write_mutex_);
  return stored_bytes_;
}

uint64_t SegmentPackStore::FreeBytes() { return files_->FreeBytes(dir_); }

}  // namespace corefleet

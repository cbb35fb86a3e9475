#include "storage/segment/segment_pack_store.h"

#include <algorithm>
#include <array>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "core/bytes/byte_source.h"
#include "core/digest/digest.h"

namespace corefleet {
namespace {

// docs/formats/segment.md
constexpr absl::string_view kSegmentMagic = "CFSEGM\x01\n";
constexpr absl::string_view kRecordMagic = "CFRC";
constexpr size_t kRecordHeaderBytes = 4 + 8 + 4;
constexpr size_t kNumberDigits = 16;
constexpr absl::string_view kSuffix = ".seg";

using RecordHeader = std::array<uint8_t, kRecordHeaderBytes>;

RecordHeader HeaderOf(ByteView pack) {
  RecordHeader header;
  std::copy(kRecordMagic.begin(), kRecordMagic.end(), header.begin());
  for (size_t i = 0; i < 8; ++i) header[4 + i] = static_cast<uint8_t>(uint64_t{pack.size()} >> (8 * i));
  const uint32_t sum = Crc32c(pack);
  for (size_t i = 0; i < 4; ++i) header[12 + i] = static_cast<uint8_t>(sum >> (8 * i));
  return header;
}

std::string NameOf(uint64_t number) { return absl::StrFormat("%016x%s", number, kSuffix); }

// The number in a segment's name; false for anything that is no such name, so that no key can leave the
// directory.
bool NumberOf(const std::string& name, uint64_t* number) {
  return name.size() == kNumberDigits + kSuffix.size() &&
         absl::SimpleHexAtoi(name.substr(0, kNumberDigits), number) && NameOf(*number) == name;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SegmentPackStore>> SegmentPackStore::Open(const std::string& dir,
                                                                         SegmentPackStoreOptions options) {
  if (options.file_system == nullptr) options.file_system = FileSystem::Real();
  ASSIGN_OR_RETURN(const std::vector<FileSystem::Entry> entries, options.file_system->List(dir));
  uint64_t next_number = 1;
  uint64_t stored_bytes = 0;
  for (const FileSystem::Entry& entry : entries) {
    uint64_t number = 0;
    if (!NumberOf(entry.name, &number)) continue;
    next_number = std::max(next_number, number + 1);
    stored_bytes += entry.size;
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

absl::StatusOr<PackRef> SegmentPackStore::Put(ByteView pack) {
  absl::MutexLock lock(&write_mutex_);
  RETURN_IF_ERROR(EnsureActive());
  const std::shared_ptr<Segment> segment = active_;
  PackRef ref;
  if (absl::Status status = Append(pack, &ref); !status.ok()) {
    AbandonActive();
    return status;
  }
  RETURN_IF_ERROR(AwaitSync(segment.get(), ref.offset + ref.size));
  return ref;
}

absl::Status SegmentPackStore::EnsureActive() {
  if (active_ != nullptr && active_->size < options_.segment_bytes) return absl::OkStatus();
  auto segment = std::make_shared<Segment>();
  segment->name = NameOf(next_number_++);
  ASSIGN_OR_RETURN(segment->file, files_->Create(PathOf(segment->name)));
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

absl::Status SegmentPackStore::Append(ByteView pack, PackRef* ref) {
  const RecordHeader header = HeaderOf(pack);
  RETURN_IF_ERROR(active_->file->Append({ByteView(header), pack}));
  *ref = {.key = active_->name, .offset = active_->size + header.size(), .size = pack.size()};
  active_->size += header.size() + pack.size();
  stored_bytes_ += header.size() + pack.size();
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
  }
  synced_.SignalAll();
}

absl::Status SegmentPackStore::Read(const PackRef& ref, uint64_t offset, absl::Span<uint8_t> out) {
  RETURN_IF_ERROR(CheckRange(offset, out.size(), ref.size));
  if (ref.offset > UINT64_MAX / 2 || ref.size > UINT64_MAX / 4) {
    return absl::NotFoundError(absl::StrCat("no pack at ", ref.offset, " of ", ref.key));
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<ReadFile> file, OpenForReading(ref.key));
  return file->ReadAt(ref.offset + offset, out);
}

absl::StatusOr<std::shared_ptr<ReadFile>> SegmentPackStore::OpenForReading(const std::string& name) {
  uint64_t number = 0;
  if (!NumberOf(name, &number)) return absl::NotFoundError("no segment has such a name");
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

uint64_t SegmentPackStore::StoredBytes() {
  absl::MutexLock lock(&write_mutex_);
  return stored_bytes_;
}

uint64_t SegmentPackStore::FreeBytes() { return files_->FreeBytes(dir_); }

}  // namespace corefleet

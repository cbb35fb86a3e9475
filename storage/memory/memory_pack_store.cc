#include "storage/memory/memory_pack_store.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "core/bytes/byte_source.h"

namespace corefleet {

absl::StatusOr<PackRef> MemoryPackStore::Put(ByteView pack) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(put_status_);
  if (pack.size() > free_bytes_) return absl::ResourceExhaustedError("no memory is left for packs");
  const std::string key = absl::StrCat("memory-", packs_.size());
  packs_[key].assign(pack.begin(), pack.end());
  free_bytes_ -= pack.size();
  stored_bytes_ += pack.size();
  return PackRef{.key = key, .offset = 0, .size = pack.size()};
}

absl::Status MemoryPackStore::Read(const PackRef& ref, uint64_t offset, absl::Span<uint8_t> out) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(read_status_);
  const auto it = packs_.find(ref.key);
  if (it == packs_.end() || ref.offset != 0) return absl::NotFoundError(absl::StrCat("no pack ", ref.key));
  RETURN_IF_ERROR(CheckRange(offset, out.size(), ref.size));
  if (ref.size > it->second.size())
    return absl::DataLossError(absl::StrCat("pack ", ref.key, " is cut short"));
  std::copy_n(it->second.begin() + static_cast<ptrdiff_t>(offset), out.size(), out.begin());
  return absl::OkStatus();
}

uint64_t MemoryPackStore::StoredBytes() {
  absl::MutexLock lock(&mutex_);
  return stored_bytes_;
}

uint64_t MemoryPackStore::FreeBytes() {
  absl::MutexLock lock(&mutex_);
  return free_bytes_;
}

void MemoryPackStore::SetPutStatus(absl::Status status) {
  absl::MutexLock lock(&mutex_);
  put_status_ = std::move(status);
}

void MemoryPackStore::SetReadStatus(absl::Status status) {
  absl::MutexLock lock(&mutex_);
  read_status_ = std::move(status);
}

void MemoryPackStore::SetFreeBytes(uint64_t bytes) {
  absl::MutexLock lock(&mutex_);
  free_bytes_ = bytes;
}

void MemoryPackStore::Damage(const PackRef& ref, uint64_t offset) {
  absl::MutexLock lock(&mutex_);
  packs_.at(ref.key).at(offset) ^= 0x10;
}

}  // namespace corefleet

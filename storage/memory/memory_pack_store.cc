#include "storage/memory/memory_pack_store.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "core/bytes/byte_source.h"
#include "core/digest/digest.h"
#include "storage/pack.h"

namespace corefleet {

class MemoryPackStore::Written final : public WrittenPack {
 public:
  Written(MemoryPackStore* store, PackRef ref) : WrittenPack(std::move(ref)), store_(store) {}
  absl::Status Sync() override {
    absl::MutexLock lock(&store_->mutex_);
    return store_->put_status_;
  }

 private:
  MemoryPackStore* const store_;
};

absl::StatusOr<std::unique_ptr<WrittenPack>> MemoryPackStore::Write(absl::Span<const ByteView> pieces) {
  std::vector<uint8_t> pack;
  for (const ByteView piece : pieces) pack.insert(pack.end(), piece.begin(), piece.end());
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(put_status_);
  if (pack.size() > free_bytes_) return absl::ResourceExhaustedError("no memory is left for packs");
  const PackRef ref{.key = absl::StrCat("memory-", next_++), .offset = 0, .size = pack.size()};
  free_bytes_ -= pack.size();
  stored_bytes_ += pack.size();
  const uint32_t sum = Crc32c(pack);
  packs_[ref.key] = {.bytes = std::move(pack), .sum = sum, .put_at = now_};
  return std::make_unique<Written>(this, ref);
}

absl::Status MemoryPackStore::Read(const PackRef& ref, uint64_t offset, absl::Span<uint8_t> out) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(read_status_);
  const auto it = packs_.find(ref.key);
  if (it == packs_.end() || ref.offset != 0) return absl::NotFoundError(absl::StrCat("no pack ", ref.key));
  RETURN_IF_ERROR(CheckRange(offset, out.size(), ref.size));
  if (ref.size > it->second.bytes.size())
    return absl::DataLossError(absl::StrCat("pack ", ref.key, " is cut short"));
  std::copy_n(it->second.bytes.begin() + static_cast<ptrdiff_t>(offset), out.size(), out.begin());
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> MemoryPackStore::ClosedKeys() {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(read_status_);
  std::vector<std::string> keys;
  for (const auto& [key, kept] : packs_) keys.push_back(key);
  return keys;
}

absl::StatusOr<PackStore::KeyContents> MemoryPackStore::Contents(const std::string& key) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(read_status_);
  const auto it = packs_.find(key);
  if (it == packs_.end()) return absl::NotFoundError(absl::StrCat("no pack ", key));
  const Kept& kept = it->second;
  KeyContents contents{.changed_at = kept.put_at};
  if (Crc32c(kept.bytes) != kept.sum) {
    contents.damaged = 1;
    return contents;
  }
  const auto index = ReadPackIndex(kept.bytes);
  contents.packs.push_back(
      {{.key = key, .offset = 0, .size = kept.bytes.size()}, index.ok() ? index->session : ""});
  return contents;
}

absl::Status MemoryPackStore::Release(const PackRef& ref) {
  {
    absl::MutexLock lock(&mutex_);
    const auto it = packs_.find(ref.key);
    if (it == packs_.end()) return absl::OkStatus();
    if (ref.offset != 0 || ref.size != it->second.bytes.size()) {
      return absl::FailedPreconditionError(absl::StrCat("no such pack in ", ref.key));
    }
  }
  return Remove(ref.key);
}

absl::Status MemoryPackStore::Remove(const std::string& key) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(read_status_);
  const auto it = packs_.find(key);
  if (it == packs_.end()) return absl::OkStatus();
  stored_bytes_ -= it->second.bytes.size();
  free_bytes_ += it->second.bytes.size();
  packs_.erase(it);
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

void MemoryPackStore::SetNow(absl::Time now) {
  absl::MutexLock lock(&mutex_);
  now_ = now;
}

void MemoryPackStore::Damage(const PackRef& ref, uint64_t offset) {
  absl::MutexLock lock(&mutex_);
  packs_.at(ref.key).bytes.at(offset) ^= 0x10;
}

}  // namespace corefleet

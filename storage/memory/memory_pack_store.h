#ifndef COREFLEET_STORAGE_MEMORY_MEMORY_PACK_STORE_H_
#define COREFLEET_STORAGE_MEMORY_MEMORY_PACK_STORE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "storage/pack_store.h"

namespace corefleet {

// A PackStore that forgets everything when it ends: the test twin of the real ones. Thread-safe.
class MemoryPackStore final : public PackStore {
 public:
  absl::StatusOr<std::unique_ptr<WrittenPack>> Write(absl::Span<const ByteView> pieces) override;
  absl::Status Read(const PackRef& ref, uint64_t offset, absl::Span<uint8_t> out) override;
  absl::StatusOr<std::vector<std::string>> ClosedKeys() override;
  absl::StatusOr<KeyContents> Contents(const std::string& key) override;
  absl::Status Release(const PackRef& ref) override;
  absl::Status Remove(const std::string& key) override;
  uint64_t StoredBytes() override;
  uint64_t FreeBytes() override;

  // What every Write and Sync, and every Read, answers from now on, until it is set to OK again.
  void SetPutStatus(absl::Status status);
  void SetReadStatus(absl::Status status);
  // Bytes that may still be written; a Write beyond gives RESOURCE_EXHAUSTED.
  void SetFreeBytes(uint64_t bytes);
  // What time packs that are written from now on get.
  void SetNow(absl::Time now);
  // Turns over one stored bit, as a bad disk does. `offset` must lie in the pack.
  void Damage(const PackRef& ref, uint64_t offset);

 private:
  class Written;

  struct Kept {
    std::vector<uint8_t> bytes;
    uint32_t sum = 0;  // as it was written
    absl::Time put_at;
  };

  absl::Mutex mutex_;
  std::map<std::string, Kept> packs_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time now_ ABSL_GUARDED_BY(mutex_) = absl::FromUnixSeconds(1'800'000'000);
  uint64_t stored_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t free_bytes_ ABSL_GUARDED_BY(mutex_) = uint64_t{1} << 40;
  absl::Status put_status_ ABSL_GUARDED_BY(mutex_);
  absl::Status read_status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_MEMORY_MEMORY_PACK_STORE_H_

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
  absl::StatusOr<PackRef> Put(ByteView pack) override;
  absl::Status Read(const PackRef& ref, uint64_t offset, absl::Span<uint8_t> out) override;
  uint64_t StoredBytes() override;
  uint64_t FreeBytes() override;

  // What every Put, and every Read, answers from now on, until it is set to OK again.
  void SetPutStatus(absl::Status status);
  void SetReadStatus(absl::Status status);
  // Bytes that may still be written; a Put beyond gives RESOURCE_EXHAUSTED.
  void SetFreeBytes(uint64_t bytes);
  // Turns over one stored bit, as a bad disk does. `offset` must lie in the pack.
  void Damage(const PackRef& ref, uint64_t offset);

 private:
  absl::Mutex mutex_;
  std::map<std::string, std::vector<uint8_t>> packs_ ABSL_GUARDED_BY(mutex_);
  uint64_t stored_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t free_bytes_ ABSL_GUARDED_BY(mutex_) = uint64_t{1} << 40;
  absl::Status put_status_ ABSL_GUARDED_BY(mutex_);
  absl::Status read_status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_MEMORY_MEMORY_PACK_STORE_H_

#ifndef COREFLEET_SERVER_OPENED_OPENED_CRASH_H_
#define COREFLEET_SERVER_OPENED_OPENED_CRASH_H_

#include <cstdint>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "core/crash/ids.h"
#include "core/crash/region_set.h"
#include "core/kdump/dumped_memory.h"
#include "core/manifest/manifest.h"
#include "core/printk/kernel_log.h"
#include "core/reassembly/core_image.h"
#include "core/rebuild.h"
#include "storage/crash_index.h"
#include "storage/pack_store.h"
#include "storage/stored_regions.h"

namespace corefleet {

// For who reads all of a crash: analysis looks at the same bytes several times, as a region's head, for
// pointers and logs in it, for its digest. With so much kept, each chunk of a crash up to that size is
// inflated and verified once.
inline constexpr uint64_t kWholeReadCacheBytes = 4 << 20;

// Remembers the first read that failed because of the store. `core` answers for every crash, so a store that
// is away looks to it like memory that is missing; who keeps such an answer must ask here first. Thread-safe.
class ReadLatch {
 public:
  // OK, UNAVAILABLE or DATA_LOSS.
  absl::Status status() const;
  // Keeps `status` if it speaks of the store and is the first.
  void Note(const absl::Status& status);

 private:
  mutable absl::Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

// A stored crash put together again: its regions, read on demand, and the image they make. Thread-safe. Takes
// what its cache may and little more, whatever the crash's size. The store must outlive it.
class OpenedCrash {
 public:
  // `opener` reads compressed dumps; null: only their header is read. What it opened outlives it.
  // `cache_bytes` of what was inflated and verified are kept to be read again.
  //   NOT_FOUND    no such crash
  //   UNAVAILABLE  the index, the store or the opener does not answer
  //   DATA_LOSS    what is stored is damaged, or some of it was lost
  static absl::StatusOr<std::shared_ptr<const OpenedCrash>> Open(const CrashId& id, CrashIndex* index,
                                                                 PackStore* store, const DumpOpener* opener,
                                                                 uint64_t cache_bytes = kChunkCacheBytes);

  // `received.set`'s sources note in `latch` what the store does.
  OpenedCrash(Manifest manifest, StoredRegions received, uint32_t revision, const DumpOpener* opener,
              std::shared_ptr<const ReadLatch> latch);
  OpenedCrash(const OpenedCrash&) = delete;
  OpenedCrash& operator=(const OpenedCrash&) = delete;

  const Manifest& manifest() const { return manifest_; }
  // The crash's revision; while it is not whole there may be a newer one.
  uint32_t revision() const { return revision_; }
  bool whole() const { return whole_; }
  // As received, and taken apart: `set` starts with the received regions, at the same indexes. What was not
  // sent of them is among the image's defects.
  const RegionSet& received() const { return received_; }
  const RegionSet& set() const { return rebuilt_.set; }
  const CoreImage& image() const { return rebuilt_.image; }

  // Not OK once the store has failed a read: what was derived since may lack what is really there. Open it
  // again.
  absl::Status read_failure() const { return latch_->status(); }

  // The kernel log, read at the first call. Codes: read_failure's.
  absl::StatusOr<std::shared_ptr<const KernelLog>> Log() const;

 private:
  const Manifest manifest_;
  const uint32_t revision_;
  const bool whole_;
  const RegionSet received_;
  const std::shared_ptr<const ReadLatch> latch_;
  const Rebuilt rebuilt_;
  mutable absl::Mutex log_mutex_;
  mutable std::shared_ptr<const KernelLog> log_ ABSL_GUARDED_BY(log_mutex_);
};

// `set` with every source wrapped so that `latch` notes what the store does.
RegionSet Latched(RegionSet set, const std::shared_ptr<ReadLatch>& latch);

}  // namespace corefleet

#endif  // COREFLEET_SERVER_OPENED_OPENED_CRASH_H_

#ifndef COREFLEET_SERVER_ARCHIVE_OPENED_CRASH_CACHE_H_
#define COREFLEET_SERVER_ARCHIVE_OPENED_CRASH_CACHE_H_

#include <cstddef>
#include <list>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "core/crash/ids.h"
#include "core/kdump/dumped_memory.h"
#include "server/opened/opened_crash.h"
#include "storage/crash_index.h"
#include "storage/pack_store.h"

namespace corefleet {

// The crashes that were asked for last, so that many small reads of one crash put it together once. A crash
// whose store has failed a read is opened anew, and so is one that has got more bytes since. Thread-safe; two
// callers may open the same crash at the same time.
class OpenedCrashCache {
 public:
  // `opener` may be null: OpenedCrash::Open's.
  OpenedCrashCache(CrashIndex* index, PackStore* store, const DumpOpener* opener)
      : index_(index), store_(store), opener_(opener) {}

  // Codes: OpenedCrash::Open's.
  absl::StatusOr<std::shared_ptr<const OpenedCrash>> Get(const CrashId& id);

 private:
  // About a megabyte each, and a kernel log of a few at most.
  static constexpr size_t kCrashes = 8;

  std::shared_ptr<const OpenedCrash> Find(const CrashId& id);
  void Forget(const CrashId& id);
  void Insert(const CrashId& id, std::shared_ptr<const OpenedCrash> crash);

  CrashIndex* const index_;
  PackStore* const store_;
  const DumpOpener* const opener_;
  absl::Mutex mutex_;
  // Most recently used first.
  std::list<std::pair<CrashId, std::shared_ptr<const OpenedCrash>>> crashes_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_ARCHIVE_OPENED_CRASH_CACHE_H_

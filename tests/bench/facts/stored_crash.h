#ifndef COREFLEET_TESTS_BENCH_FACTS_STORED_CRASH_H_
#define COREFLEET_TESTS_BENCH_FACTS_STORED_CRASH_H_

#include <memory>

#include "core/crash/region_set.h"
#include "server/opened/opened_crash.h"
#include "storage/memory/memory_crash_index.h"
#include "storage/memory/memory_pack_store.h"

namespace corefleet {

// A crash as a server keeps it, in memory: chunks in a pack, and its row. Immutable once made.
class StoredInMemory {
 public:
  // The test dies when the crash cannot be stored.
  explicit StoredInMemory(const RegionSet& received);

  // Its regions together.
  uint64_t raw_bytes() const { return raw_bytes_; }
  // Put together as for analysis.
  std::shared_ptr<const OpenedCrash> Open();
  // Fetches, inflates and verifies every chunk once: the least that reading facts can cost. True if all are
  // sound.
  bool DecodeAllChunks();

 private:
  MemoryCrashIndex index_;
  MemoryPackStore store_;
  CrashId id_;
  CrashContents contents_;
  uint64_t raw_bytes_ = 0;
};

}  // namespace corefleet

#endif  // COREFLEET_TESTS_BENCH_FACTS_STORED_CRASH_H_

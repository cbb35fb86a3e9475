#ifndef COREFLEET_CORE_PRINTK_RING_READER_H_
#define COREFLEET_CORE_PRINTK_RING_READER_H_

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/printk/kernel_log.h"
#include "core/printk/ring.h"

namespace corefleet {

// How the records of a ring were found; LogFacts::method has the word.
enum class RingMethod {
  kNone,
  kIds,          // "ring": every id from the oldest to the newest
  kDescriptors,  // "descriptors": the ids are insane, so every slot was looked at
  kInfos,        // "infos": no descriptors; text found by the id in front of it
  kCarved,       // "carved": nothing but text
};
absl::string_view RingMethodName(RingMethod method);

// What a ring holds.
struct RingRecords {
  std::vector<LogRecord> records;  // ascending by seq, each seq once
  RingMethod method = RingMethod::kNone;
  uint64_t damaged = 0;     // slots in use that make no sense
  uint64_t absent = 0;      // slots in use of which the image has nothing
  uint64_t no_info = 0;     // records without stamp, level and caller: their infos are not in the image
  uint64_t no_room = 0;     // records whose text the kernel itself had no room for
  uint64_t unfinished = 0;  // records that a writer was inside of
  uint64_t unfinished_without_text = 0;  // of these, those of which nothing can be shown
  uint64_t found_by_id = 0;  // texts that were not where the descriptor says, and found by their id
  uint64_t recycled = 0;     // records given up by the kernel and still whole; taken from damaged rings only
  // Records after the newest one that was read, by what the ring's struct says; without the unfinished ones.
  uint64_t after_last = 0;
};

// Decodes as much of `ring` as its bytes allow, by the best method that yields anything. Total; the work and
// the memory are bounded by the arrays that are really there.
RingRecords ReadRing(const Ring& ring);

}  // namespace corefleet

#endif  // COREFLEET_CORE_PRINTK_RING_READER_H_

#ifndef COREFLEET_CORE_PRINTK_RECOVERY_H_
#define COREFLEET_CORE_PRINTK_RECOVERY_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "core/printk/kernel_log.h"
#include "core/printk/ring.h"

namespace corefleet {

// Finds text blocks of a ring without the descriptors that say where they are: by the id in front of each.
class BlockIndex {
 public:
  // Looks once at every aligned word of the text ring for the `count` ids from `first` on. `ring` must
  // outlive it.
  BlockIndex(const Ring& ring, uint64_t first, uint64_t count);

  // Offset of the block with this id that has room for `text_len` bytes of text. A block that wraps leaves
  // its id at the end of the array too, where no text follows: the other one is meant.
  std::optional<uint64_t> Find(uint64_t id, uint64_t text_len) const;

 private:
  const Ring& ring_;
  absl::flat_hash_map<uint64_t, std::vector<uint64_t>> offsets_;
};

// The text at the start of a block when nobody knows its length. The kernel's formatter ended it with a NUL,
// mostly after a newline that is not part of it, and then moved it to the front over its two-byte level
// prefix, so that its last two bytes stand there twice. Text that happens to repeat its own last two bytes
// loses them: the price of guessing.
absl::string_view GuessText(absl::string_view block);

// Only the text ring is there: finds blocks by ids that are near one another, else printable runs of 8 bytes
// and more. The records have a seq that keeps their order, and no other metadata.
std::vector<LogRecord> CarveText(const Ring& ring);

}  // namespace corefleet

#endif  // COREFLEET_CORE_PRINTK_RECOVERY_H_

#ifndef COREFLEET_CORE_PRINTK_RING_H_
#define COREFLEET_CORE_PRINTK_RING_H_

#include <cstdint>
#include <optional>

#include "core/bytes/address_space.h"
#include "core/printk/kernel_log.h"
#include "core/printk/ring_layout.h"
#include "core/printk/sparse_bytes.h"

namespace corefleet {

// A log ring taken out of an image: its three arrays, as far as the image has them, and what is known about
// their use.
struct Ring {
  RingLayout layout;
  uint64_t count = 0;      // descriptors: a power of two; 0 when neither header nor arrays tell
  uint64_t data_size = 0;  // bytes of text ring: a power of two
  uint64_t fail = 0;       // messages that found no room
  // Ids of the newest and the oldest descriptor; nullopt when the ring's struct is not in the image.
  std::optional<uint64_t> head_id;
  std::optional<uint64_t> tail_id;
  SparseBytes descs;
  SparseBytes infos;
  SparseBytes data;

  // Follows the header's pointers. Arrays that are not in `space` stay empty, with their right size.
  static Ring Read(const AddressSpace& space, const RingLayout& layout, const RingHeader& header);
};

enum class DescriptorState : uint8_t { kReserved = 0, kCommitted = 1, kFinalized = 2, kReusable = 3 };

// struct prb_desc.
struct Descriptor {
  DescriptorState state;
  uint64_t id;
  uint64_t begin;  // logical positions in the text ring
  uint64_t next;
};

// struct printk_info: a record without its text, and how long the text is.
struct Info {
  LogRecord record;
  uint16_t text_len = 0;
};

// Where a record's text should be.
struct TextBlock {
  enum class Kind {
    kBlock,
    kEmptyLine,  // a record that has no text, rightly
    kNoText,     // the kernel found no room for the text
    kDamaged,    // positions that no writer makes
  };
  Kind kind = Kind::kDamaged;
  uint64_t offset = 0;  // of the block, with the id in front, in the array
  uint64_t length = 0;
};

// Reads single elements of a ring. Everything is checked against the arrays; nothing is kept. `ring` must
// outlive it. ring.count and ring.data_size must be powers of two where they are used.
class RingElements {
 public:
  explicit RingElements(const Ring& ring);

  uint64_t id_mask() const { return id_mask_; }
  uint64_t word() const { return ring_.layout.word; }
  uint64_t SlotOf(uint64_t id) const { return id & (ring_.count - 1); }

  // nullopt when the slot is not in the image.
  std::optional<Descriptor> DescriptorAt(uint64_t slot) const;
  std::optional<Info> InfoAt(uint64_t slot) const;
  // Its seq alone.
  std::optional<uint64_t> SeqAt(uint64_t slot) const;
  TextBlock BlockOf(const Descriptor& descriptor) const;
  // The descriptor id that is stored at `offset` of the text ring, in front of every block.
  std::optional<uint64_t> IdAt(uint64_t offset) const;

 private:
  uint64_t Word(ByteView bytes, uint64_t offset) const;
  std::string FixedString(ByteView info, uint64_t offset, uint64_t length) const;

  const Ring& ring_;
  uint64_t word_mask_;
  uint64_t id_mask_;
};

}  // namespace corefleet

#endif  // COREFLEET_CORE_PRINTK_RING_H_

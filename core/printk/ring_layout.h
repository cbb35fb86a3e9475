#ifndef COREFLEET_CORE_PRINTK_RING_LAYOUT_H_
#define COREFLEET_CORE_PRINTK_RING_LAYOUT_H_

#include <cstdint>
#include <optional>

#include "core/bytes/byte_reader.h"
#include "core/bytes/byte_view.h"
#include "core/vmcoreinfo/vmcoreinfo.h"

namespace corefleet {

// Where the fields of the kernel's lockless log ring lie. All offsets and sizes in bytes. Source:
// VMCOREINFO's OFFSET, SIZE and LENGTH keys (5.10 on); where a key is missing or cannot be, what 6.x compiles
// to.
struct RingLayout {
  uint32_t word = 8;  // bytes of an unsigned long and of a pointer
  Endian endian = Endian::kLittle;

  // In struct printk_ringbuffer.
  uint64_t ring_size = 0;  // enough of it to hold every field below
  uint64_t count_bits = 0;
  uint64_t descs = 0;
  uint64_t infos = 0;
  uint64_t head_id = 0;
  uint64_t tail_id = 0;
  uint64_t size_bits = 0;
  uint64_t data = 0;
  uint64_t fail = 0;

  // In struct prb_desc.
  uint64_t desc_size = 0;
  uint64_t state_var = 0;
  uint64_t begin = 0;
  uint64_t next = 0;

  // In struct printk_info.
  uint64_t info_size = 0;
  uint64_t seq = 0;
  uint64_t ts_nsec = 0;
  uint64_t text_len = 0;
  uint64_t facility = 0;     // never exported: the byte at text_len + 2
  uint64_t flags_level = 0;  // never exported: the byte at text_len + 3
  uint64_t caller_id = 0;
  uint64_t subsystem = 0;
  uint64_t subsystem_length = 0;
  uint64_t device = 0;
  uint64_t device_length = 0;

  // For kernels of this word size (4 or 8) and byte order. An empty VMCOREINFO gives the defaults.
  static RingLayout From(const Vmcoreinfo& info, uint32_t word, Endian endian);
};

// What struct printk_ringbuffer says, checked only so far that a ring of this shape can exist.
struct RingHeader {
  uint64_t count = 0;      // descriptors: a power of two, at most 2^24
  uint64_t data_size = 0;  // bytes of text ring: a power of two, at most 2^31
  uint64_t descs = 0;      // addresses of the arrays
  uint64_t infos = 0;
  uint64_t data = 0;
  uint64_t head_id = 0;
  uint64_t tail_id = 0;
  uint64_t fail = 0;  // messages that found no room
};

// nullopt when `bytes` are fewer than layout.ring_size or cannot be a ring in use (an untouched one is all
// zero).
std::optional<RingHeader> ParseRingHeader(const RingLayout& layout, ByteView bytes);

}  // namespace corefleet

#endif  // COREFLEET_CORE_PRINTK_RING_LAYOUT_H_

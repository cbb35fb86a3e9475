#ifndef COREFLEET_CORE_PRINTK_RING_WRITER_H_
#define COREFLEET_CORE_PRINTK_RING_WRITER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/bytes/byte_reader.h"

namespace corefleet {

// The machine and the size of a ring to write.
struct RingShape {
  uint32_t count_bits = 10;  // 2^count_bits descriptors; 1 to 24
  uint32_t size_bits = 16;   // 2^size_bits bytes of text; 4 to 31
  uint32_t word = 8;         // bytes of an unsigned long: 4 or 8
  Endian endian = Endian::kLittle;
  // What was written before and has been pushed out: the ring starts as if this had happened. For ids and
  // positions that are about to wrap.
  uint64_t records_before = 0;
  uint64_t text_before = 0;  // bytes; rounded down to whole words
};

// Writes a lockless log ring as the kernel does, with the layout of 6.1 and 6.12, and lets the caller spoil
// it. Everything is in memory. Not thread-safe.
//
//   RingWriter ring({.count_bits = 5, .size_bits = 10});
//   ring.Add({.text = "first"});
//   ring.descriptor(ring.last_id())[0] ^= 1;
class RingWriter {
 public:
  struct Record {
    std::string text;  // at most 65535 bytes count
    uint64_t ts_nsec = 0;
    uint8_t level = 6;
    uint8_t facility = 0;
    uint8_t flags = 2;
    uint32_t caller_id = 0;
    std::string subsystem;  // at most 16 bytes count
    std::string device;     // at most 48
    uint64_t spare = 0;     // bytes reserved and not used, as a cut newline leaves them
  };
  static constexpr uint64_t kInfoBytes = 88;  // sizeof(struct printk_info), on every machine

  explicit RingWriter(const RingShape& shape);

  // Adds a finalized record and returns its id. Texts that do not fit push the oldest out, as in the kernel;
  // one that is larger than the whole ring becomes AddLost. A block that would cross the end of the array
  // wraps; with exact fit (since 6.19) one may end right there.
  uint64_t Add(const Record& record);
  uint64_t AddEmptyLine(uint64_t ts_nsec);
  // The kernel found no room for the text.
  uint64_t AddLost(uint64_t ts_nsec);
  void AllowExactFit() { exact_fit_ = true; }

  // 0 reserved, 1 committed, 2 finalized, 3 reusable.
  void SetState(uint64_t id, uint64_t state);
  // The bytes of one slot, for damage.
  uint8_t* descriptor(uint64_t id) { return descs.data() + Slot(id) * desc_bytes(); }
  uint8_t* info(uint64_t id) { return infos.data() + Slot(id) * kInfoBytes; }
  // Where the block of a record starts in the text array: at its begin, also when it wraps.
  uint64_t BeginOf(uint64_t id) { return GetWord(descriptor(id) + word()) % data.size(); }
  // The logical positions of a record's block.
  void WritePosition(uint64_t id, uint64_t begin, uint64_t next);

  uint64_t first_id() const { return tail_id_; }
  uint64_t last_id() const { return head_id_; }
  uint64_t count() const { return count_; }
  uint64_t word() const { return shape_.word; }
  const RingShape& shape() const { return shape_; }
  uint64_t desc_bytes() const { return 3 * word(); }
  uint64_t ring_bytes() const { return 11 * word(); }

  // struct printk_ringbuffer, with the arrays at the addresses below.
  std::vector<uint8_t> Header() const;
  // The VMCOREINFO lines that tell a reader this layout; without SYMBOL(prb), which is the address of a
  // pointer that the caller places.
  std::string VmcoreinfoLines() const;

  uint64_t descs_vaddr;
  uint64_t infos_vaddr;
  uint64_t data_vaddr;
  std::vector<uint8_t> descs;
  std::vector<uint8_t> infos;
  std::vector<uint8_t> data;
  uint64_t fail = 0;  // messages that got no record

 private:
  void Put(uint64_t value, size_t width, uint8_t* at) const;
  void PutWord(uint64_t value, uint8_t* at) const { Put(value, shape_.word, at); }
  uint64_t GetWord(const uint8_t* at) const;
  uint64_t Slot(uint64_t id) const { return id % count_; }
  uint64_t NewDescriptor();
  void WriteInfo(uint64_t id, const Record& record);
  void PushOutUntil(uint64_t lowest_position);

  RingShape shape_;
  uint64_t word_mask_;
  uint64_t id_mask_;
  uint64_t count_;
  uint64_t head_id_;
  uint64_t tail_id_;
  uint64_t oldest_text_;  // no record before it still has text in the ring
  uint64_t next_seq_;
  uint64_t head_position_;
  bool exact_fit_ = false;
};

}  // namespace corefleet

#endif  // COREFLEET_CORE_PRINTK_RING_WRITER_H_

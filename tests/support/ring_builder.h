#ifndef COREFLEET_TESTS_SUPPORT_RING_BUILDER_H_
#define COREFLEET_TESTS_SUPPORT_RING_BUILDER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/bytes/address_space.h"

namespace corefleet {

// Memory of a machine that never was: pieces by virtual address. Thread-safe once filled.
class FakeMemory final : public AddressSpace {
 public:
  void Add(uint64_t vaddr, std::vector<uint8_t> bytes) { pieces_[vaddr] = std::move(bytes); }

  absl::Status ReadVirtual(uint64_t vaddr, absl::Span<uint8_t> out) const override;
  uint64_t ReadableFrom(uint64_t vaddr, uint64_t want) const override;
  Endian endian() const override { return Endian::kLittle; }
  uint32_t word_size() const override { return 8; }

 private:
  std::map<uint64_t, std::vector<uint8_t>> pieces_;
};

// Writes a 64-bit lockless log ring as the kernel does, with the layout of 6.1 and 6.12, and lets a test
// spoil it.
//
//   RingBuilder ring(5, 10);
//   ring.Add({.text = "first"});
//   ring.descriptor(ring.last_id())[0] ^= 1;
class RingBuilder {
 public:
  struct Record {
    std::string text;
    uint64_t ts_nsec = 0;
    uint8_t level = 6;
    uint8_t facility = 0;
    uint8_t flags = 2;
    uint32_t caller_id = 0;
    std::string subsystem;
    std::string device;
    uint64_t spare = 0;  // bytes reserved and not used, as a cut newline leaves them
  };
  static constexpr uint64_t kDescBytes = 24;
  static constexpr uint64_t kInfoBytes = 88;
  static constexpr uint64_t kRingBytes = 88;

  // 2^count_bits descriptors, 2^size_bits bytes of text.
  RingBuilder(uint32_t count_bits, uint32_t size_bits);

  // Adds a finalized record and returns its id. Texts that do not fit push the oldest out, as in the kernel.
  // A block that would cross the end of the array wraps; with exact_fit (since 6.19) one may end right there.
  uint64_t Add(const Record& record);
  uint64_t AddEmptyLine(uint64_t ts_nsec);
  // The kernel found no room for the text.
  uint64_t AddLost(uint64_t ts_nsec);
  void AllowExactFit() { exact_fit_ = true; }

  // 0 reserved, 1 committed, 2 finalized, 3 reusable.
  void SetState(uint64_t id, uint64_t state);
  // The bytes of one slot, for damage.
  uint8_t* descriptor(uint64_t id) { return descs.data() + Slot(id) * kDescBytes; }
  uint8_t* info(uint64_t id) { return infos.data() + Slot(id) * kInfoBytes; }
  // Where the block of a record starts in the text array: at its begin, also when it wraps.
  uint64_t BeginOf(uint64_t id) { return Get(descriptor(id) + 8) % data.size(); }

  uint64_t first_id() const { return tail_id_; }
  uint64_t last_id() const { return head_id_; }
  uint64_t count() const { return count_; }

  // struct printk_ringbuffer, with the arrays at the addresses below.
  std::vector<uint8_t> Header() const;
  // Header and arrays at their addresses.
  FakeMemory Memory() const;

  uint64_t ring_vaddr = 0xffffffff82000000;
  uint64_t descs_vaddr = 0xffffffff82010000;
  uint64_t infos_vaddr = 0xffffffff82100000;
  uint64_t data_vaddr = 0xffffffff82200000;
  std::vector<uint8_t> descs;
  std::vector<uint8_t> infos;
  std::vector<uint8_t> data;
  uint64_t fail = 0;

 private:
  static uint64_t Get(const uint8_t* at);
  static void Put(uint64_t value, uint8_t* at);
  uint64_t Slot(uint64_t id) const { return id % count_; }
  uint64_t NewDescriptor();
  void WriteInfo(uint64_t id, const Record& record);
  void WritePosition(uint64_t id, uint64_t begin, uint64_t next);
  void PushOutUntil(uint64_t lowest_position);

  uint32_t count_bits_;
  uint32_t size_bits_;
  uint64_t count_;
  uint64_t head_id_;
  uint64_t tail_id_;
  uint64_t head_position_;
  bool exact_fit_ = false;
};

}  // namespace corefleet

#endif  // COREFLEET_TESTS_SUPPORT_RING_BUILDER_H_

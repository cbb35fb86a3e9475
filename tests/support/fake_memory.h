#ifndef COREFLEET_TESTS_SUPPORT_FAKE_MEMORY_H_
#define COREFLEET_TESTS_SUPPORT_FAKE_MEMORY_H_

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "core/bytes/address_space.h"
#include "core/printk/ring_writer.h"

namespace corefleet {

// Memory of a machine that never was: pieces by virtual address. Thread-safe once filled.
class FakeMemory final : public AddressSpace {
 public:
  explicit FakeMemory(uint32_t word_size = 8, Endian endian = Endian::kLittle)
      : word_size_(word_size), endian_(endian) {}

  void Add(uint64_t vaddr, std::vector<uint8_t> bytes) { pieces_[vaddr] = std::move(bytes); }

  absl::Status ReadVirtual(uint64_t vaddr, absl::Span<uint8_t> out) const override;
  uint64_t ReadableFrom(uint64_t vaddr, uint64_t want) const override;
  Endian endian() const override { return endian_; }
  uint32_t word_size() const override { return word_size_; }

 private:
  uint32_t word_size_;
  Endian endian_;
  std::map<uint64_t, std::vector<uint8_t>> pieces_;
};

// The three arrays of a ring at their addresses. Its struct is Header(), and is given to who reads the ring.
FakeMemory MemoryOf(const RingWriter& ring);

}  // namespace corefleet

#endif  // COREFLEET_TESTS_SUPPORT_FAKE_MEMORY_H_

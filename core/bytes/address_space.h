#ifndef COREFLEET_CORE_BYTES_ADDRESS_SPACE_H_
#define COREFLEET_CORE_BYTES_ADDRESS_SPACE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "core/bytes/byte_reader.h"

namespace corefleet {

// The memory of a dead kernel, by the kernel's own virtual addresses. Full of holes. Thread-safe.
class AddressSpace {
 public:
  virtual ~AddressSpace() = default;

  // Fills all of `out` from `vaddr`.
  //   NOT_FOUND    some byte of the range is not in the image; `out` is then unspecified
  //   other codes  as ByteSource::ReadAt
  virtual absl::Status ReadVirtual(uint64_t vaddr, absl::Span<uint8_t> out) const = 0;

  // How many bytes, at most `want`, can be read from `vaddr` on without a hole. 0 when there are none.
  virtual uint64_t ReadableFrom(uint64_t vaddr, uint64_t want) const = 0;

  // How many bytes, at most `want`, from `vaddr` on are certainly not there: none of their addresses can be
  // read from. May be fewer than there are; 0 says nothing. For who looks for the end of a hole.
  virtual uint64_t MissingFrom(uint64_t vaddr, uint64_t want) const { return 0; }

  virtual Endian endian() const = 0;
  // Bytes of an unsigned long and of a pointer: 4 or 8.
  virtual uint32_t word_size() const = 0;
};

}  // namespace corefleet

#endif  // COREFLEET_CORE_BYTES_ADDRESS_SPACE_H_

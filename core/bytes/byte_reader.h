#ifndef COREFLEET_CORE_BYTES_BYTE_READER_H_
#define COREFLEET_CORE_BYTES_BYTE_READER_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "absl/status/status.h"
#include "core/bytes/byte_view.h"

namespace corefleet {

enum class Endian { kLittle, kBig };

// Reads fixed-layout binary data and never out of bounds.
//
// Errors stick: after the first short read every later read returns zero (or an empty view), and status()
// names that first failure and its offset. So a caller reads a whole header straight through and checks once.
// Not thread-safe; does not own `data`, which must outlive it and every view it hands out.
class ByteReader {
 public:
  explicit ByteReader(ByteView data, Endian endian = Endian::kLittle) : data_(data), endian_(endian) {}

  uint8_t U8();
  uint16_t U16();
  uint32_t U32();
  uint64_t U64();
  // The next `n` bytes, without copying them.
  ByteView Bytes(size_t n);
  void Skip(size_t n) { Bytes(n); }

  size_t offset() const { return offset_; }
  size_t remaining() const { return data_.size() - offset_; }
  bool ok() const { return status_.ok(); }
  // OUT_OF_RANGE, naming the offset and what was wanted there, after the first short read.
  const absl::Status& status() const { return status_; }

 private:
  uint64_t Integer(size_t width);

  ByteView data_;
  Endian endian_;
  size_t offset_ = 0;
  absl::Status status_;
};

// The eight bytes at `at`, little endian, in one load: every word of a crash goes through here. (GCC 12 does
// not make one of a loop over the bytes.)
inline uint64_t LoadLittle64(const uint8_t* at) {
  uint64_t value;
  std::memcpy(&value, at, sizeof(value));
  if constexpr (std::endian::native == std::endian::big) value = __builtin_bswap64(value);
  return value;
}

// The unsigned integer in the first `width` (1 to 8) bytes of `bytes`, which must have that many.
uint64_t LoadInteger(ByteView bytes, size_t width, Endian endian);

}  // namespace corefleet

#endif  // COREFLEET_CORE_BYTES_BYTE_READER_H_

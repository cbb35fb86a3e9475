#include "core/bytes/byte_reader.h"

#include "absl/strings/str_cat.h"

namespace corefleet {

uint64_t LoadInteger(ByteView bytes, size_t width, Endian endian) {
  if (width == 8 && endian == Endian::kLittle) return LoadLittle64(bytes.data());
  uint64_t value = 0;
  for (size_t i = 0; i < width; ++i) {
    const size_t at = endian == Endian::kLittle ? width - 1 - i : i;
    value = value << 8 | bytes[at];
  }
  return value;
}

ByteView ByteReader::Bytes(size_t n) {
  if (!status_.ok()) return {};
  if (n > remaining()) {
    status_ = absl::OutOfRangeError(
        absl::StrCat("at offset ", offset_, ": expected ", n, " more bytes, have ", remaining()));
    return {};
  }
  const ByteView view = data_.subspan(offset_, n);
  offset_ += n;
  return view;
}

uint64_t ByteReader::Integer(size_t width) {
  const ByteView view = Bytes(width);
  return view.empty() ? 0 : LoadInteger(view, width, endian_);
}

uint8_t ByteReader::U8() { return static_cast<uint8_t>(Integer(1)); }
uint16_t ByteReader::U16() { return static_cast<uint16_t>(Integer(2)); }
uint32_t ByteReader::U32() { return static_cast<uint32_t>(Integer(4)); }
uint64_t ByteReader::U64() { return Integer(8); }

}  // namespace corefleet

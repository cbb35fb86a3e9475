#ifndef COREFLEET_CORE_MINIDUMP_APPEND_RECORD_H_
#define COREFLEET_CORE_MINIDUMP_APPEND_RECORD_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/bytes/byte_reader.h"

namespace corefleet {

// What the writers of firmware's tables put one after the other.

// The low `width` (1 to 8) bytes of `value`.
inline void AppendInteger(uint64_t value, size_t width, Endian endian, std::vector<uint8_t>* out) {
  for (size_t i = 0; i < width; ++i) {
    const size_t byte = endian == Endian::kLittle ? i : width - 1 - i;
    out->push_back(static_cast<uint8_t>(value >> (8 * byte)));
  }
}

// A name in a field of `width` bytes: cut there without a NUL, as firmware does, or filled up with NULs.
inline void AppendName(absl::string_view name, size_t width, std::vector<uint8_t>* out) {
  name = name.substr(0, width);
  out->insert(out->end(), name.begin(), name.end());
  out->insert(out->end(), width - name.size(), 0);
}

}  // namespace corefleet

#endif  // COREFLEET_CORE_MINIDUMP_APPEND_RECORD_H_

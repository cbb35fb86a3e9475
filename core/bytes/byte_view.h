#ifndef COREFLEET_CORE_BYTES_BYTE_VIEW_H_
#define COREFLEET_CORE_BYTES_BYTE_VIEW_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace corefleet {

// Bytes that somebody else owns. The only way in which `core` is handed memory.
using ByteView = absl::Span<const uint8_t>;

inline ByteView BytesOf(absl::string_view text) {
  return ByteView(reinterpret_cast<const uint8_t*>(text.data()), text.size());
}

inline absl::string_view TextOf(ByteView bytes) {
  return absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace corefleet

#endif  // COREFLEET_CORE_BYTES_BYTE_VIEW_H_

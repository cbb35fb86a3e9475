#ifndef COREFLEET_CORE_PSTORE_LZO1X_H_
#define COREFLEET_CORE_PSTORE_LZO1X_H_

#include <cstddef>
#include <string>

#include "core/bytes/byte_view.h"

namespace corefleet {

struct Lzo1xText {
  std::string text;    // what was decoded before the end, or before the first impossible instruction
  bool whole = false;  // the stream's own end was reached
};

// Decodes an LZO1X stream without a container, which is what the kernel's `lzo` compressor makes. Ours,
// because liblzo2 is under the GPL. Never gives more than `limit` bytes. Source: docs/formats/pstore.md.
Lzo1xText DecodeLzo1x(ByteView stream, size_t limit);

}  // namespace corefleet

#endif  // COREFLEET_CORE_PSTORE_LZO1X_H_

#ifndef COREFLEET_CORE_PSTORE_DECOMPRESS_H_
#define COREFLEET_CORE_PSTORE_DECOMPRESS_H_

#include <string>

#include "absl/strings/string_view.h"
#include "core/bytes/byte_view.h"

namespace corefleet {

// No backend stores a record that decompresses to more: the kernel's own bound is three times a record.
inline constexpr size_t kMaxRecordTextBytes = 8 << 20;

// A record's text as it was before the kernel compressed it.
struct RecordText {
  std::string text;
  absl::string_view codec;  // "deflate", "zlib", "zstd", "lz4", "lzo", or "plain"; "" when none of them
  bool whole = false;       // false: the stream breaks off, and `text` is what stood before
};

// Tries what the kernel's versions have compressed with. Only zstd and zlib have a mark of their own, so a
// result is taken only if it is a record's text: first its header line, then text. `codec` is "" when there
// is none; 842, which only POWER machines have, is not read. Total; at most kMaxRecordTextBytes.
RecordText DecompressRecord(ByteView payload);

// The same for a payload that may be plain.
RecordText ReadRecordText(ByteView payload);

// Nearly all of it are characters that a log has.
bool IsPlainText(absl::string_view text);

}  // namespace corefleet

#endif  // COREFLEET_CORE_PSTORE_DECOMPRESS_H_

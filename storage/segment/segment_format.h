#ifndef COREFLEET_STORAGE_SEGMENT_SEGMENT_FORMAT_H_
#define COREFLEET_STORAGE_SEGMENT_SEGMENT_FORMAT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/bytes/byte_view.h"

namespace corefleet {

// docs/formats/segment.md
inline constexpr absl::string_view kSegmentMagic = "CFSEGM\x01\n";
inline constexpr absl::string_view kRecordMagic = "CFRC";
// One byte of the magic tells a released record from a live one: a power cut leaves the one or the other.
inline constexpr size_t kRecordStateAt = 3;
inline constexpr uint8_t kReleasedMark = 'X';
inline constexpr size_t kRecordHeaderBytes = 4 + 8 + 4;
// What a record holds at most. Bounds what a reader of a damaged file must believe.
inline constexpr uint64_t kMaxPackBytes = uint64_t{64} << 20;

struct RecordHeader {
  bool released = false;
  uint64_t size = 0;  // of the pack, in bytes
  uint32_t sum = 0;   // CRC-32C of the pack
};

// Of a pack in pieces that stand one behind the other.
std::array<uint8_t, kRecordHeaderBytes> EncodeRecordHeader(absl::Span<const ByteView> pieces);
// None unless the magic is one of the two and the size is at most kMaxPackBytes. `bytes` are at least
// kRecordHeaderBytes.
std::optional<RecordHeader> DecodeRecordHeader(ByteView bytes);

// A segment's name, and the number in one; none for anything that is no such name, so that no key can leave
// the directory.
std::string SegmentName(uint64_t number);
std::optional<uint64_t> SegmentNumber(absl::string_view name);

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_SEGMENT_SEGMENT_FORMAT_H_

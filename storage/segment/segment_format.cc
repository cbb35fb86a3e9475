#include "storage/segment/segment_format.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "core/digest/digest.h"

namespace corefleet {
namespace {

constexpr size_t kNumberDigits = 16;
constexpr absl::string_view kSuffix = ".seg";

uint64_t LittleEndian(ByteView bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | bytes[i];
  return value;
}

}  // namespace

std::array<uint8_t, kRecordHeaderBytes> EncodeRecordHeader(absl::Span<const ByteView> pieces) {
  uint64_t size = 0;
  uint32_t sum = 0;
  for (const ByteView piece : pieces) {
    size += piece.size();
    sum = ExtendCrc32c(sum, piece);
  }
  std::array<uint8_t, kRecordHeaderBytes> header;
  std::copy(kRecordMagic.begin(), kRecordMagic.end(), header.begin());
  for (size_t i = 0; i < 8; ++i) header[4 + i] = static_cast<uint8_t>(size >> (8 * i));
  for (size_t i = 0; i < 4; ++i) header[12 + i] = static_cast<uint8_t>(sum >> (8 * i));
  return header;
}

std::optional<RecordHeader> DecodeRecordHeader(ByteView bytes) {
  const absl::string_view magic = TextOf(bytes.subspan(0, kRecordMagic.size()));
  const bool released = bytes[kRecordStateAt] == kReleasedMark;
  if (magic.substr(0, kRecordStateAt) != kRecordMagic.substr(0, kRecordStateAt)) return std::nullopt;
  if (!released && magic != kRecordMagic) return std::nullopt;
  const RecordHeader header{.released = released,
                            .size = LittleEndian(bytes.subspan(4, 8)),
                            .sum = static_cast<uint32_t>(LittleEndian(bytes.subspan(12, 4)))};
  if (header.size > kMaxPackBytes) return std::nullopt;
  return header;
}

std::string SegmentName(uint64_t number) { return absl::StrFormat("%016x%s", number, kSuffix); }

std::optional<uint64_t> SegmentNumber(absl::string_view name) {
  uint64_t number = 0;
  if (name.size() != kNumberDigits + kSuffix.size()) return std::nullopt;
  if (!absl::SimpleHexAtoi(name.substr(0, kNumberDigits), &number)) return std::nullopt;
  if (SegmentName(number) != name) return std::nullopt;
  return number;
}

}  // namespace corefleet

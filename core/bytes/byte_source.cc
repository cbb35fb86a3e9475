#include "core/bytes/byte_source.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace corefleet {

absl::Status CheckRange(uint64_t offset, uint64_t length, uint64_t size) {
  if (offset <= size && length <= size - offset) return absl::OkStatus();
  return absl::OutOfRangeError(
      absl::StrCat("bytes ", offset, "+", length, " of a source that has only ", size));
}

absl::StatusOr<std::vector<uint8_t>> ReadBytes(const ByteSource& source, uint64_t offset, uint64_t length) {
  if (absl::Status status = CheckRange(offset, length, source.size()); !status.ok()) return status;
  std::vector<uint8_t> bytes(length);
  if (absl::Status status = source.ReadAt(offset, absl::MakeSpan(bytes)); !status.ok()) return status;
  return bytes;
}

absl::Status MemorySource::ReadAt(uint64_t offset, absl::Span<uint8_t> out) const {
  if (absl::Status status = CheckRange(offset, out.size(), bytes_.size()); !status.ok()) return status;
  std::copy_n(bytes_.begin() + offset, out.size(), out.begin());
  return absl::OkStatus();
}

}  // namespace corefleet

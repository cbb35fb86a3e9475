#ifndef COREFLEET_CORE_BYTES_BYTE_SOURCE_H_
#define COREFLEET_CORE_BYTES_BYTE_SOURCE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/bytes/byte_view.h"

namespace corefleet {

// Random access to bytes that live elsewhere: a file on the device, a stored pack, a buffer. `core` reads a
// crash only through this, so a multi-gigabyte image never has to be in memory. Thread-safe: several readers
// may call at once.
class ByteSource {
 public:
  virtual ~ByteSource() = default;

  // How many bytes there are. Never changes.
  virtual uint64_t size() const = 0;

  // Fills all of `out` from `offset`.
  //   OUT_OF_RANGE  the range leaves [0, size()); `out` is untouched
  //   DATA_LOSS     the bytes are not what was stored
  //   UNAVAILABLE   the place where they live does not answer; try again later
  virtual absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const = 0;
};

// OUT_OF_RANGE unless [offset, offset + length) lies inside [0, size).
absl::Status CheckRange(uint64_t offset, uint64_t length, uint64_t size);

// Reads `length` bytes at `offset` into a new buffer. `length` must already be bounded by the caller. Codes:
// ReadAt's.
absl::StatusOr<std::vector<uint8_t>> ReadBytes(const ByteSource& source, uint64_t offset, uint64_t length);

// A source over bytes that it owns.
class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(std::vector<uint8_t> bytes) : bytes_(std::move(bytes)) {}
  explicit MemorySource(absl::string_view text) : bytes_(text.begin(), text.end()) {}
  uint64_t size() const override { return bytes_.size(); }
  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override;

 private:
  std::vector<uint8_t> bytes_;
};

}  // namespace corefleet

#endif  // COREFLEET_CORE_BYTES_BYTE_SOURCE_H_

#ifndef COREFLEET_CORE_EXPORT_PIECEWISE_SOURCE_H_
#define COREFLEET_CORE_EXPORT_PIECEWISE_SOURCE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "core/bytes/byte_source.h"

namespace corefleet {

// A file that is put together only where it is read: bytes of its own, runs of zeros, and ranges of other
// sources. Append first, share then; thread-safe from then on. Keeps alive the sources it reads from.
class PiecewiseSource final : public ByteSource {
 public:
  void AppendBytes(std::vector<uint8_t> bytes);
  void AppendZeros(uint64_t size);
  // [offset, offset + size) must lie in the source: OUT_OF_RANGE, and nothing is appended, if not.
  absl::Status AppendRange(std::shared_ptr<const ByteSource> source, uint64_t offset, uint64_t size);
  // Zeros up to the next multiple of `alignment`, a power of two.
  void AlignTo(uint64_t alignment);

  uint64_t size() const override { return size_; }
  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override;

 private:
  struct Part {
    uint64_t start;
    uint64_t size;
    std::shared_ptr<const ByteSource> source;  // null: zeros
    uint64_t source_offset;
  };

  std::vector<Part> parts_;
  uint64_t size_ = 0;
};

}  // namespace corefleet

#endif  // COREFLEET_CORE_EXPORT_PIECEWISE_SOURCE_H_

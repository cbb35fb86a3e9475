#include "core/export/piecewise_source.h"

#include <algorithm>

namespace corefleet {

void PiecewiseSource::AppendBytes(std::vector<uint8_t> bytes) {
  const uint64_t size = bytes.size();
  if (size == 0) return;
  parts_.push_back({size_, size, std::make_shared<MemorySource>(std::move(bytes)), 0});
  size_ += size;
}

void PiecewiseSource::AppendZeros(uint64_t size) {
  if (size == 0) return;
  parts_.push_back({size_, size, nullptr, 0});
  size_ += size;
}

absl::Status PiecewiseSource::AppendRange(std::shared_ptr<const ByteSource> source, uint64_t offset,
                                          uint64_t size) {
  if (absl::Status status = CheckRange(offset, size, source->size()); !status.ok()) return status;
  if (size == 0) return absl::OkStatus();
  parts_.push_back({size_, size, std::move(source), offset});
  size_ += size;
  return absl::OkStatus();
}

void PiecewiseSource::AlignTo(uint64_t alignment) {
  AppendZeros((alignment - size_ % alignment) % alignment);
}

absl::Status PiecewiseSource::ReadAt(uint64_t offset, absl::Span<uint8_t> out) const {
  if (absl::Status status = CheckRange(offset, out.size(), size_); !status.ok()) return status;
  auto part = std::partition_point(parts_.begin(), parts_.end(),
                                   [offset](const Part& p) { return p.start + p.size <= offset; });
  while (!out.empty()) {
    const uint64_t within = offset - part->start;
    const size_t n = static_cast<size_t>(std::min<uint64_t>(out.size(), part->size - within));
    if (part->source == nullptr) {
      std::fill_n(out.begin(), n, 0);
    } else {
      absl::Status status = part->source->ReadAt(part->source_offset + within, out.first(n));
      if (!status.ok()) return status;
    }
    out.remove_prefix(n);
    offset += n;
    ++part;
  }
  return absl::OkStatus();
}

}  // namespace corefleet

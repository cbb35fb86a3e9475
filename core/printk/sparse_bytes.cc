#include "core/printk/sparse_bytes.h"

#include <algorithm>
#include <utility>

#include "absl/types/span.h"

namespace corefleet {
namespace {

// How often one array is asked for the end of a hole. Each question is a search in the image's index.
constexpr uint64_t kMaxProbes = uint64_t{1} << 18;
constexpr uint64_t kGrain = 8;
// A log buffer is at most 2 GiB, but no machine that hands out regions has one of more than some megabytes.
constexpr uint64_t kMaxCopied = uint64_t{256} << 20;

}  // namespace

SparseBytes SparseBytes::ReadVirtual(const AddressSpace& space, uint64_t vaddr, uint64_t size) {
  SparseBytes result;
  result.size_ = std::min(size, UINT64_MAX - vaddr);
  const uint64_t step = std::max(kGrain, (result.size_ / kMaxProbes + kGrain - 1) / kGrain * kGrain);
  uint64_t offset = 0;
  while (offset < result.size_ && result.available_ < kMaxCopied) {
    const uint64_t want = std::min(result.size_ - offset, kMaxCopied - result.available_);
    const uint64_t have = std::min(want, space.ReadableFrom(vaddr + offset, want));
    std::vector<uint8_t> bytes(have);
    if (have > 0 && space.ReadVirtual(vaddr + offset, absl::MakeSpan(bytes)).ok()) {
      result.Add(offset, std::move(bytes));
    }
    const uint64_t passed = have > 0 ? have : std::max<uint64_t>(1, space.MissingFrom(vaddr + offset, want));
    // The next piece starts on a whole step at the earliest.
    offset = (offset + std::min(passed, want) + step - 1) / step * step;
  }
  return result;
}

SparseBytes SparseBytes::ReadSource(const ByteSource& source, uint64_t size) {
  SparseBytes result;
  result.size_ = size;
  const uint64_t have = std::min({size, source.size(), kMaxCopied});
  absl::StatusOr<std::vector<uint8_t>> bytes = ReadBytes(source, 0, have);
  if (have > 0 && bytes.ok()) result.Add(0, *std::move(bytes));
  return result;
}

void SparseBytes::Add(uint64_t offset, std::vector<uint8_t> bytes) {
  available_ += bytes.size();
  extents_.push_back({offset, std::move(bytes)});
}

std::vector<SparseBytes::Extent>::const_iterator SparseBytes::ExtentAt(uint64_t offset) const {
  const auto after =
      std::upper_bound(extents_.begin(), extents_.end(), offset,
                       [](uint64_t value, const Extent& extent) { return value < extent.offset; });
  return after == extents_.begin() ? extents_.end() : std::prev(after);
}

ByteView SparseBytes::Prefix(uint64_t offset, uint64_t length) const {
  const auto extent = ExtentAt(offset);
  if (extent == extents_.end()) return {};
  const uint64_t skip = offset - extent->offset;
  if (skip >= extent->bytes.size()) return {};
  return ByteView(extent->bytes).subspan(skip, std::min<uint64_t>(length, extent->bytes.size() - skip));
}

uint64_t SparseBytes::NextAvailable(uint64_t offset) const {
  auto extent = ExtentAt(offset);
  if (extent == extents_.end()) return extents_.empty() ? size_ : extents_.front().offset;
  if (offset - extent->offset < extent->bytes.size()) return offset;
  ++extent;
  return extent == extents_.end() ? size_ : extent->offset;
}

ByteView SparseBytes::Whole(uint64_t offset, uint64_t length) const {
  const ByteView bytes = Prefix(offset, length);
  return bytes.size() == length ? bytes : ByteView();
}

}  // namespace corefleet

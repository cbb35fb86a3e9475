#include "core/printk/sparse_bytes.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "core/reassembly/core_image.h"

namespace corefleet {
namespace {

constexpr uint64_t kBase = 0xffff800000000000;

// The same memory of somebody who cannot say how far a hole reaches.
class ByAddressOnly final : public AddressSpace {
 public:
  explicit ByAddressOnly(const AddressSpace* space) : space_(*space) {}
  absl::Status ReadVirtual(uint64_t vaddr, absl::Span<uint8_t> out) const override {
    return space_.ReadVirtual(vaddr, out);
  }
  uint64_t ReadableFrom(uint64_t vaddr, uint64_t want) const override {
    return space_.ReadableFrom(vaddr, want);
  }
  Endian endian() const override { return space_.endian(); }
  uint32_t word_size() const override { return space_.word_size(); }

 private:
  const AddressSpace& space_;
};

CoreImage ImageOf(const std::vector<std::pair<uint64_t, size_t>>& pieces) {
  CoreImage image;
  for (const auto& [offset, size] : pieces) {
    Segment segment;
    segment.vaddr = kBase + offset;
    segment.has_vaddr = true;
    segment.size = segment.available = size;
    segment.region = image.sources.size();
    image.segments.push_back(segment);
    image.sources.push_back(std::make_shared<MemorySource>(std::vector<uint8_t>(size, 'a' + offset % 26)));
  }
  image.IndexSegments();
  return image;
}

void ExpectTheSame(const SparseBytes& a, const SparseBytes& b) {
  EXPECT_EQ(a.size(), b.size());
  EXPECT_EQ(a.available(), b.available());
  ASSERT_EQ(a.extents().size(), b.extents().size());
  for (size_t i = 0; i < a.extents().size(); ++i) {
    EXPECT_EQ(a.extents()[i].offset, b.extents()[i].offset);
    EXPECT_EQ(a.extents()[i].bytes, b.extents()[i].bytes);
  }
}

TEST(SparseBytesTest, FindsWithASkippedHoleWhatIsFoundAddressByAddress) {
  // Pieces on and off the grain, that touch, and smaller than it.
  const CoreImage image =
      ImageOf({{64, 40}, {104, 3}, {112, 8}, {1003, 30}, {4096, 1}, {5000, 5}, {5008, 2}, {90000, 999}});
  for (const uint64_t size :
       {uint64_t{1}, uint64_t{70}, uint64_t{5001}, uint64_t{100'000}, uint64_t{4} << 20}) {
    for (const uint64_t offset : {0, 1, 60, 107, 4097}) {
      SCOPED_TRACE(testing::Message() << size << " at " << offset);
      ExpectTheSame(SparseBytes::ReadVirtual(image, kBase + offset, size),
                    SparseBytes::ReadVirtual(ByAddressOnly(&image), kBase + offset, size));
    }
  }
}

TEST(SparseBytesTest, AnArrayThatIsNotThereHasItsSizeAndNoBytes) {
  const CoreImage image = ImageOf({{64, 40}});
  const SparseBytes none = SparseBytes::ReadVirtual(image, kBase + (uint64_t{1} << 32), uint64_t{1} << 31);
  EXPECT_EQ(none.size(), uint64_t{1} << 31);
  EXPECT_EQ(none.available(), 0u);
}

}  // namespace
}  // namespace corefleet

#include "core/reassembly/core_image.h"

#include "gtest/gtest.h"

namespace corefleet {
namespace {

void Add(CoreImage* image, uint64_t vaddr, std::string bytes, uint64_t size) {
  Segment segment;
  segment.vaddr = vaddr;
  segment.paddr = vaddr & 0xffffffff;
  segment.has_vaddr = segment.has_paddr = true;
  segment.size = size;
  segment.available = bytes.size();
  if (!bytes.empty()) segment.region = image->sources.size();
  image->segments.push_back(segment);
  if (!bytes.empty()) image->sources.push_back(std::make_shared<MemorySource>(absl::string_view(bytes)));
}

std::string ReadAll(const CoreImage& image, uint64_t vaddr, size_t n) {
  std::string out(n, '?');
  absl::Status status = image.ReadVirtual(vaddr, absl::MakeSpan(reinterpret_cast<uint8_t*>(out.data()), n));
  return status.ok() ? out : std::string(absl::StatusCodeToString(status.code()));
}

TEST(CoreImageTest, ReadsOverSegmentsThatTouchAndStopsAtHoles) {
  CoreImage image;
  Add(&image, 0xffff800000001004, "efgh", 4);
  Add(&image, 0xffff800000001000, "abcd", 4);
  Add(&image, 0xffff80000000100a, "xy", 2);
  image.IndexSegments();
  EXPECT_EQ(ReadAll(image, 0xffff800000001002, 4), "cdef");
  EXPECT_EQ(ReadAll(image, 0xffff800000001006, 3), "NOT_FOUND");
  EXPECT_EQ(ReadAll(image, 0xffff800000000fff, 2), "NOT_FOUND");
  EXPECT_EQ(image.ReadableFrom(0xffff800000001001, 100), 7u);
  EXPECT_EQ(image.ReadableFrom(0xffff800000001001, 3), 3u);
  EXPECT_EQ(image.ReadableFrom(0xffff800000001008, 1), 0u);
}

TEST(CoreImageTest, TheFirstListedOfOverlappingSegmentsAnswersAsFarAsItHasBytes) {
  CoreImage image;
  Add(&image, 0x1002, "AB", 8);  // cut short: of eight bytes two are there
  Add(&image, 0x1000, "abcdefgh", 8);
  image.IndexSegments();
  EXPECT_EQ(ReadAll(image, 0x1000, 8), "abABefgh");
}

TEST(CoreImageTest, AMissingSegmentHasNoBytes) {
  CoreImage image;
  Add(&image, 0x1000, "", 8);
  image.IndexSegments();
  EXPECT_EQ(ReadAll(image, 0x1000, 1), "NOT_FOUND");
  EXPECT_EQ(image.ReadableFrom(0x1000, 1), 0u);
}

TEST(CoreImageTest, TheLastByteOfTheAddressSpaceIsReadable) {
  CoreImage image;
  Add(&image, UINT64_MAX - 1, "yz", 2);
  Add(&image, 0, "0", 1);
  image.IndexSegments();
  EXPECT_EQ(ReadAll(image, UINT64_MAX - 1, 2), "yz");
  EXPECT_EQ(ReadAll(image, UINT64_MAX, 2), "NOT_FOUND") << "a read must not wrap to address 0";
  EXPECT_EQ(image.ReadableFrom(UINT64_MAX - 1, 100), 2u);
}

TEST(CoreImageTest, AnEmptyReadIsAlwaysThere) { EXPECT_TRUE(CoreImage().ReadVirtual(5, {}).ok()); }

}  // namespace
}  // namespace corefleet

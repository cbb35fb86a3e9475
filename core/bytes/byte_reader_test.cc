#include "core/bytes/byte_reader.h"

#include <vector>

#include "core/bytes/byte_source.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

TEST(ByteReaderTest, ReadsBothEndians) {
  const std::vector<uint8_t> bytes = {1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_EQ(ByteReader(bytes).U32(), 0x04030201u);
  EXPECT_EQ(ByteReader(bytes, Endian::kBig).U32(), 0x01020304u);
  EXPECT_EQ(ByteReader(bytes).U64(), 0x0807060504030201u);
}

TEST(ByteReaderTest, FirstShortReadSticks) {
  const std::vector<uint8_t> bytes = {1, 2, 3, 4, 5};
  ByteReader reader(bytes);
  EXPECT_EQ(reader.U32(), 0x04030201u);
  EXPECT_EQ(reader.U32(), 0u);
  EXPECT_EQ(reader.U8(), 0u) << "one byte is left, but the reader has already failed";
  EXPECT_EQ(reader.status().message(), "at offset 4: expected 4 more bytes, have 1");
}

TEST(ByteSourceTest, RangesThatWrapAroundAreRefused) {
  EXPECT_TRUE(CheckRange(0, 4, 4).ok());
  EXPECT_TRUE(CheckRange(4, 0, 4).ok());
  EXPECT_FALSE(CheckRange(5, 0, 4).ok());
  EXPECT_FALSE(CheckRange(2, UINT64_MAX, 4).ok());
  EXPECT_FALSE(CheckRange(UINT64_MAX, 2, 4).ok());
}

TEST(ByteSourceTest, AShortSourceGivesNothing) {
  MemorySource source(std::vector<uint8_t>{1, 2, 3});
  EXPECT_EQ(*ReadBytes(source, 1, 2), (std::vector<uint8_t>{2, 3}));
  EXPECT_EQ(ReadBytes(source, 1, 3).status().code(), absl::StatusCode::kOutOfRange);
}

}  // namespace
}  // namespace corefleet

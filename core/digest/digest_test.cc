#include "core/digest/digest.h"

#include "gtest/gtest.h"

namespace corefleet {
namespace {

TEST(DigestTest, KnownAnswers) {
  // FIPS 180-2's and RFC 3720 B.4's own examples.
  EXPECT_EQ(HexOf(Sha256Of(BytesOf("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Crc32c(std::vector<uint8_t>(32, 0)), 0x8a9136aau);
  EXPECT_EQ(Crc32c(BytesOf("123456789")), 0xe3069283u);
}

TEST(DigestTest, SourceAndBytesAgreeAcrossChunkEdges) {
  for (size_t size : {0u, 1u, 65535u, 65536u, 65537u, 200000u}) {
    std::vector<uint8_t> bytes(size, 7);
    EXPECT_EQ(*Sha256Of(MemorySource(bytes)), Sha256Of(ByteView(bytes))) << size;
  }
}

TEST(DigestTest, AChecksumGoesOnWhereItEnded) {
  const std::string text = "123456789";
  EXPECT_EQ(Crc32c(BytesOf(text)), 0xe3069283u) << "RFC 3720's";
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    EXPECT_EQ(ExtendCrc32c(Crc32c(BytesOf(text.substr(0, cut))), BytesOf(text.substr(cut))), 0xe3069283u);
  }
}

TEST(DigestTest, ChunksCoverARegionExactly) {
  EXPECT_EQ(ChunkCount(0), 0u);
  EXPECT_EQ(ChunkCount(1), 1u);
  EXPECT_EQ(ChunkCount(65536), 1u);
  EXPECT_EQ(ChunkCount(65537), 2u);
  EXPECT_EQ(ChunkSize(65537, 1), 1u);
  EXPECT_EQ(ChunkCount(UINT64_MAX), UINT64_MAX / kChunkBytes + 1) << "no overflow";
}

}  // namespace
}  // namespace corefleet

#include "core/minidump/qaic.h"

#include "absl/strings/str_cat.h"
#include "core/minidump/qaic_writer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

std::vector<QaicFile> SomeFiles() {
  return {{"md_KELF1.BIN", "md_KELF1", 0x19c0000, std::vector<uint8_t>(100, 1)},
          {"CODERAM.BIN", "code RAM", 0x200000, std::vector<uint8_t>(64, 2)},
          {"load.cmm", "script", 0, std::vector<uint8_t>(20, ';')}};
}

Pieces Unpack(const std::vector<uint8_t>& bytes) {
  Pieces pieces;
  Artifact artifact{.received = 3, .file_name = "devcd2.bin", .bytes = std::make_shared<MemorySource>(bytes)};
  UnpackQaic({artifact}, nullptr, &pieces);
  return pieces;
}

std::string Details(const Pieces& pieces) {
  std::string text;
  for (const Defect& d : pieces.defects) absl::StrAppend(&text, DefectCodeName(d.code), " ", d.detail, "\n");
  return text;
}

std::vector<uint8_t> WithNumber(std::vector<uint8_t> bytes, size_t at, uint64_t value) {
  for (int i = 0; i < 8; ++i) bytes[at + i] = static_cast<uint8_t>(value >> (8 * i));
  return bytes;
}

TEST(QaicTest, RowsBecomeRegionsInEitherByteOrder) {
  for (const Endian endian : {Endian::kLittle, Endian::kBig}) {
    const std::vector<uint8_t> bytes = WriteQaic(SomeFiles(), endian);
    EXPECT_TRUE(LooksLikeQaic(bytes, bytes.size()));
    const Pieces pieces = Unpack(bytes);
    EXPECT_EQ(Details(pieces), "");
    ASSERT_THAT(pieces.regions, SizeIs(2));
    for (size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(pieces.regions[i].file_name, SomeFiles()[i].file_name);
      EXPECT_EQ(pieces.regions[i].paddr, SomeFiles()[i].base);
      EXPECT_EQ(pieces.regions[i].container, 3u);
      EXPECT_EQ(*ReadBytes(*pieces.regions[i].bytes, 0, pieces.regions[i].bytes->size()),
                SomeFiles()[i].bytes);
    }
    ASSERT_THAT(pieces.artifacts, SizeIs(1));
    EXPECT_EQ(pieces.artifacts[0].file_name, "load.cmm");
  }
}

TEST(QaicTest, OtherBytesAreNone) {
  EXPECT_FALSE(LooksLikeQaic({}, 0));
  EXPECT_FALSE(LooksLikeQaic(std::vector<uint8_t>(7, 0xef), 7));
  EXPECT_FALSE(LooksLikeQaic(std::vector<uint8_t>(64), 64));
}

TEST(QaicTest, CutAnywhereItGivesWhatIsThere) {
  const std::vector<uint8_t> whole = WriteQaic(SomeFiles());
  for (size_t size = 8; size < whole.size(); ++size) {
    const Pieces pieces = Unpack({whole.begin(), whole.begin() + size});
    EXPECT_THAT(Details(pieces), HasSubstr("CONTAINER_DAMAGED")) << size;
    uint64_t total = 0;
    for (const Region& region : pieces.regions) total += region.bytes->size();
    EXPECT_LE(total, size);
  }
}

TEST(QaicTest, HostileLengthsGiveNoBytesThatAreNotThere) {
  const std::vector<uint8_t> whole = WriteQaic(SomeFiles());
  for (const uint64_t value : {uint64_t{0}, uint64_t{1}, uint64_t{65}, uint64_t{1} << 40, UINT64_MAX}) {
    // dump_size, table_size, the first row's length, its base.
    for (const size_t at : {16, 24, 32 + 16, 32 + 8}) {
      const Pieces pieces = Unpack(WithNumber(whole, at, value));
      uint64_t total = 0;
      for (const Region& region : pieces.regions) {
        total += region.bytes->size();
        EXPECT_LE(region.paddr.value_or(0), uint64_t{1} << 52);
      }
      EXPECT_LE(total, whole.size()) << at << " " << value;
    }
  }
}

TEST(QaicTest, ASizeThatItsTableContradictsIsTold) {
  const std::vector<uint8_t> whole = WriteQaic(SomeFiles());
  EXPECT_THAT(Details(Unpack(WithNumber(whole, 16, 1234))), HasSubstr("its size says 1234 bytes"));
  // With and without the headers, either is meant.
  EXPECT_EQ(Details(Unpack(WithNumber(whole, 16, 184))), "");
}

TEST(QaicTest, AnotherVersionIsReadAndTold) {
  const Pieces pieces = Unpack(WithNumber(WriteQaic(SomeFiles()), 8, 9));
  EXPECT_THAT(Details(pieces), HasSubstr("its version is 9"));
  EXPECT_THAT(pieces.regions, SizeIs(2));
}

}  // namespace
}  // namespace corefleet

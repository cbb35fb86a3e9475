#include "core/taint/taint.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace corefleet {
namespace {

constexpr uint64_t Bit(int bit) { return uint64_t{1} << bit; }

// taint_flags as a kernel with this stride has it.
std::string Region(size_t stride, absl::string_view letters) {
  std::string region;
  for (size_t i = 0; i < letters.size(); ++i) {
    std::string entry(stride, '\0');
    entry[0] = letters[i];
    entry[1] = i == 0 ? 'G' : ' ';
    region += entry;
  }
  region.resize((region.size() + 3) / 4 * 4);
  return region;
}

TEST(TaintTest, KnowsEveryBitAndDropsNone) {
  EXPECT_EQ(DescribeTaintBit(0).name, "PROPRIETARY_MODULE");
  EXPECT_EQ(DescribeTaintBit(19).letter, 'J');
  EXPECT_EQ(DescribeTaintBit(20).name, "bit20");
  const std::vector<TaintBit> bits = DescribeTaint(Bit(9) | Bit(12) | Bit(63));
  ASSERT_EQ(bits.size(), 3u);
  EXPECT_EQ(bits[0].name, "WARN");
  EXPECT_EQ(bits[1].name, "OOT_MODULE");
  EXPECT_EQ(bits[2].name, "bit63");
  for (uint32_t bit = 0; bit < 64; ++bit) EXPECT_FALSE(DescribeTaintBit(bit).meaning.empty());
}

TEST(TaintTest, LettersAreInBitOrderWithoutG) {
  const TaintTable table;
  EXPECT_EQ(table.Letters(0), "");
  EXPECT_EQ(table.Letters(Bit(0) | Bit(9) | Bit(12)), "PWO");
  EXPECT_EQ(table.Letters(12416), "DOE");
  EXPECT_EQ(table.Letters(Bit(7) | Bit(20)), "D?");
}

TEST(TaintTest, ReadsTheTableOfEveryLayout) {
  for (const size_t stride : {3, 8, 16}) {
    SCOPED_TRACE(stride);
    const auto table = TaintTable::FromRegion(BytesOf(Region(stride, "PFSRMBUDAWCIOELKXTN")));
    ASSERT_TRUE(table.has_value());
    EXPECT_FALSE(table->differs());
    EXPECT_EQ(table->Letters(0xfffff), "PFSRMBUDAWCIOELKXTNJ");
  }
}

TEST(TaintTest, TheRegionsOwnLettersWin) {
  const auto table = TaintTable::FromRegion(BytesOf(Region(16, "PFSRMBUDAWCIOELKXZNJQ")));
  ASSERT_TRUE(table.has_value());
  EXPECT_TRUE(table->differs());
  EXPECT_EQ(table->bits(), 21u);
  EXPECT_EQ(table->Letters(Bit(17) | Bit(20)), "ZQ");
}

TEST(TaintTest, RefusesWhatIsNoTable) {
  EXPECT_FALSE(TaintTable::FromRegion({}).has_value());
  EXPECT_FALSE(TaintTable::FromRegion(BytesOf("PG")).has_value());
  EXPECT_FALSE(TaintTable::FromRegion(BytesOf(std::string(64, 'P'))).has_value());
  EXPECT_FALSE(TaintTable::FromRegion(BytesOf(std::string(64, '\0'))).has_value());
}

TEST(TaintTest, ReadsReportLinesByPosition) {
  const TaintTable table;
  const auto tainted = ParseTaintText(
      "CPU: 0 PID: 93 Comm: insmod Tainted: G      D    OE      6.1.0-47-cloud-amd64 #1", table);
  ASSERT_TRUE(tainted.has_value());
  EXPECT_EQ(tainted->mask, 12416u);
  EXPECT_FALSE(tainted->lenient);
  EXPECT_EQ(ParseTaintText("CPU: 0 PID: 1 Comm: init Not tainted 6.1.0", table)->mask, 0u);
  EXPECT_EQ(ParseTaintText("Tainted: P        W          ", table)->mask, Bit(0) | Bit(9));
}

TEST(TaintTest, ReadsSqueezedBlanksByLetter) {
  const auto squeezed = ParseTaintText("Comm: x Tainted: G W O 6.1.0", TaintTable());
  ASSERT_TRUE(squeezed.has_value());
  EXPECT_EQ(squeezed->mask, Bit(9) | Bit(12));
  EXPECT_TRUE(squeezed->lenient);
}

TEST(TaintTest, IgnoresOtherLines) {
  const TaintTable table;
  EXPECT_FALSE(ParseTaintText("Tainted: [W]=WARN, [O]=OOT_MODULE", table).has_value());
  EXPECT_FALSE(ParseTaintText("crashlab: loading out-of-tree module taints kernel.", table).has_value());
  EXPECT_FALSE(ParseTaintText("", table).has_value());
  EXPECT_FALSE(ParseTaintText("Tainted: ", table).has_value());
}

}  // namespace
}  // namespace corefleet

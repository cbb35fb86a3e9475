#include "core/vmcoreinfo/vmcoreinfo.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace corefleet {
namespace {

struct Parsed {
  Vmcoreinfo info;
  std::vector<Defect> defects;
};

Parsed Parse(absl::string_view text) {
  Parsed parsed;
  parsed.info = Vmcoreinfo::Parse(BytesOf(text), &parsed.defects);
  return parsed;
}

TEST(VmcoreinfoTest, ReadsEveryKindOfValue) {
  const Parsed parsed = Parse(
      "OSRELEASE=6.1.0-47-cloud-amd64\nBUILD-ID=4f61\nPAGESIZE=4096\nSYMBOL(prb)=ffffffff8b462540\n"
      "SIZE(page)=64\nOFFSET(page.lru)=8\nLENGTH(mem_section)=2048\nNUMBER(phys_base)=-90177536\n"
      "NUMBER(VA_BITS)=48\nNUMBER(VMALLOC_START)=0xffff800008000000\nKERNELOFFSET=8a00000\nCONFIG_X86_PAE="
      "y\n");
  EXPECT_TRUE(parsed.defects.empty());
  const Vmcoreinfo& info = parsed.info;
  EXPECT_EQ(info.Text("OSRELEASE"), "6.1.0-47-cloud-amd64");
  EXPECT_EQ(info.Text("PAGESIZE"), "4096");
  EXPECT_EQ(info.Symbol("prb"), 0xffffffff8b462540u);
  EXPECT_EQ(info.Size("page"), 64u);
  EXPECT_EQ(info.Offset("page.lru"), 8u);
  EXPECT_EQ(info.Length("mem_section"), 2048u);
  EXPECT_EQ(info.Number("phys_base"), static_cast<uint64_t>(int64_t{-90177536}));
  EXPECT_EQ(info.Number("VA_BITS"), 48u);
  EXPECT_EQ(info.Number("VMALLOC_START"), 0xffff800008000000u);
  EXPECT_EQ(info.Hex("KERNELOFFSET"), 0x8a00000u);
  EXPECT_EQ(info.Text("CONFIG_X86_PAE"), "y");
  EXPECT_EQ(info.Symbol("nothing"), std::nullopt);
  EXPECT_EQ(info.Text("NOTHING"), std::nullopt);
}

TEST(VmcoreinfoTest, FindsTheKeyAfterALineThatLostItsNewline) {
  const std::string cut = absl::StrCat("OFFSET(", std::string(65, 'a'), ".b)=12");
  ASSERT_EQ(cut.size(), 79u - 1);  // with one more digit it is cut
  const Parsed parsed = Parse(absl::StrCat(cut, "3SYMBOL(prb)=10\nSIZE(page)=64\n"));
  EXPECT_EQ(parsed.info.Offset(absl::StrCat(std::string(65, 'a'), ".b")), 123u);
  EXPECT_EQ(parsed.info.Symbol("prb"), 0x10u);
  EXPECT_EQ(parsed.info.Size("page"), 64u);
  ASSERT_EQ(parsed.defects.size(), 1u);
  EXPECT_EQ(parsed.defects[0].code, DefectCode::kVmcoreinfoDamaged);
}

TEST(VmcoreinfoTest, FindsTheSecondKeyWhereverTheFirstFailed) {
  const Parsed parsed = Parse("SIZE(page)=6OFFSET(page.lru)=4\nNUMBER(brokenSIZE(list_head)=16\n");
  EXPECT_EQ(parsed.info.Size("page"), 6u);
  EXPECT_EQ(parsed.info.Offset("page.lru"), 4u);
  EXPECT_EQ(parsed.info.Size("list_head"), 16u);
  EXPECT_EQ(parsed.defects.size(), 1u);
}

TEST(VmcoreinfoTest, TheFirstValueOfAKeyWins) {
  EXPECT_TRUE(Parse("SIZE(page)=64\nSIZE(page)=64\n").defects.empty());
  const Parsed parsed = Parse("SIZE(page)=64\nSIZE(page)=72\n");
  EXPECT_EQ(parsed.info.Size("page"), 64u);
  EXPECT_EQ(parsed.defects.size(), 1u);
}

TEST(VmcoreinfoTest, StopsAtTheFirstNul) {
  const Parsed parsed = Parse(absl::string_view("PAGESIZE=4096\n\0SIZE(page)=64\n", 29));
  EXPECT_EQ(parsed.info.text(), "PAGESIZE=4096\n");
  EXPECT_EQ(parsed.info.Size("page"), std::nullopt);
  EXPECT_TRUE(parsed.defects.empty());
}

TEST(VmcoreinfoTest, DropsWhatCannotBe) {
  const Parsed parsed = Parse(
      "SIZE(a)=1048577\nSIZE(b)=1048576\nOFFSET(c.d)=1048577\nLENGTH(e)=2147483649\nLENGTH(f)=2147483648\n"
      "SYMBOL(g)=0xffff\nSYMBOL(h)=11112222333344445\nNUMBER(i)=1x\nSIZE(k)=-1\nSIZE(l)=\nOFFSET(b.m)="
      "1048576\n"
      "SYMBOL()=1\n=1\nnothing\n");
  const Vmcoreinfo& info = parsed.info;
  EXPECT_EQ(info.Size("a"), std::nullopt);
  EXPECT_EQ(info.Size("b"), 1048576u);
  EXPECT_EQ(info.Offset("c.d"), std::nullopt);
  EXPECT_EQ(info.Length("e"), std::nullopt);
  EXPECT_EQ(info.Length("f"), 2147483648u);
  EXPECT_EQ(info.Symbol("g"), std::nullopt);
  EXPECT_EQ(info.Symbol("h"), std::nullopt);
  EXPECT_EQ(info.Number("i"), std::nullopt);
  EXPECT_EQ(info.Size("k"), std::nullopt);
  EXPECT_EQ(info.Size("l"), std::nullopt);
  EXPECT_EQ(info.Offset("b.m"), std::nullopt) << "a member must lie inside its struct";
  ASSERT_EQ(parsed.defects.size(), 1u);
}

TEST(VmcoreinfoTest, DoesNotTrustALineThatTheEndCut) {
  const Parsed parsed = Parse("SIZE(page)=64\nSYMBOL(prb)=ffffffff8b4");
  EXPECT_EQ(parsed.info.Size("page"), 64u);
  EXPECT_EQ(parsed.info.Symbol("prb"), std::nullopt);
  EXPECT_EQ(parsed.defects.size(), 1u);
}

// A page of the text that was overwritten costs the lines in it.
TEST(VmcoreinfoTest, GarbageInsideCostsItsOwnLines) {
  const std::string garbage(200, '\xa5');
  const Parsed parsed = Parse(absl::StrCat("OSRELEASE=6.1.0\nSIZE(page)=6", garbage,
                                           "4\nOFFSET(page.lru)=8\n", garbage, "\nSYMBOL(prb)=10\n"));
  EXPECT_EQ(parsed.info.Text("OSRELEASE"), "6.1.0");
  EXPECT_EQ(parsed.info.Size("page"), std::nullopt);
  EXPECT_EQ(parsed.info.Offset("page.lru"), 8u);
  EXPECT_EQ(parsed.info.Symbol("prb"), 0x10u);
  ASSERT_EQ(parsed.defects.size(), 1u);
  EXPECT_EQ(parsed.defects[0].code, DefectCode::kVmcoreinfoDamaged);
}

TEST(VmcoreinfoTest, TakesAnyBytes) {
  EXPECT_TRUE(Parse("").info.empty());
  EXPECT_TRUE(Parse("").defects.empty());
  const std::string noise(100000, '\xff');
  const Parsed parsed = Parse(noise);
  EXPECT_TRUE(parsed.info.empty());
  ASSERT_EQ(parsed.defects.size(), 1u);
  EXPECT_LT(parsed.defects[0].detail.size(), 1000u);
  EXPECT_TRUE(Vmcoreinfo::Parse(BytesOf(noise), nullptr).empty());
}

}  // namespace
}  // namespace corefleet

#include "core/meminspect/names.h"
#include "core/meminspect/plausible_content.h"
#include "core/meminspect/region_ids.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

void ExpectName(absl::string_view file, absl::string_view name, uint32_t id) {
  const std::optional<RegionFileName> parsed = ParseRegionFileName(file);
  ASSERT_TRUE(parsed) << file;
  EXPECT_EQ(parsed->name, name) << file;
  EXPECT_EQ(parsed->id.value_or(0), id) << file;
}

TEST(RegionFileNameTest, Reads) {
  ExpectName("md_KELF1.BIN", "KELF", 1);
  ExpectName("md_Kprintk_r20.BIN", "Kprintk_r", 20);
  ExpectName("md_Kcpu_poss5.bin", "Kcpu_poss", 5);
  ExpectName("memory/md_Kunknown200.BIN", "Kunknown", 200);
  ExpectName("MD_2d_Kprb22.Bin", "Kprb", 22);
  ExpectName("md_KELF_HDR.BIN", "KELF_HDR", 0);
  ExpectName("md_KISTK0.BIN", "KISTK0", 0);
  ExpectName("md_Kunknown999.BIN", "Kunknown9", 99);
  ExpectName("md_K\xff\xfe\x07.BIN", "K\xff\xfe\x07", 0);
}

TEST(RegionFileNameTest, Refuses) {
  for (absl::string_view name : {"", "md_.BIN", "md_KELF1", "KELF1.BIN", "minidump_toc.bin", "md_OCIMEM.BIN",
                                 "..", "md_KELF1.BIN/", "md_2d_.BIN"}) {
    EXPECT_FALSE(ParseRegionFileName(name)) << name;
  }
  EXPECT_FALSE(ParseRegionFileName("md_K" + std::string(1000, '1') + ".BIN"));
}

TEST(RegionIdsTest, TheSeriesDifferWhereTheyShould) {
  EXPECT_EQ(SymbolOfId(MeminspectSeries::kV1, 26), "high_memory");
  EXPECT_EQ(SymbolOfId(MeminspectSeries::kV3, 26), "clear_seq");
  EXPECT_EQ(SymbolOfId(MeminspectSeries::kUnknown, 26), "");
  EXPECT_EQ(SymbolOfId(MeminspectSeries::kUnknown, 22), "prb");
  EXPECT_FALSE(IsAlwaysRegistered(MeminspectSeries::kV1, 28));
  EXPECT_TRUE(IsAlwaysRegistered(MeminspectSeries::kV1, 36));
  EXPECT_FALSE(IsAlwaysRegistered(MeminspectSeries::kV2, 36));
  EXPECT_EQ(SymbolOfId(MeminspectSeries::kV3, 36), "kallsyms_offsets");
  EXPECT_EQ(SymbolOfId(MeminspectSeries::kV3, 42), "swapper_pg_dir");
  EXPECT_EQ(DriverNameOfId(MeminspectSeries::kV3, 29), "Ktk_data");
  EXPECT_EQ(SymbolOfId(MeminspectSeries::kV3, 29), "_sinittext");
  EXPECT_EQ(IdOfSymbol(MeminspectSeries::kV3, "kallsyms_names"), 37u);
  EXPECT_EQ(SeriesOfName("Kclear_se", 26), MeminspectSeries::kV3);
  EXPECT_EQ(SeriesOfName("Khigh_mem", 26), MeminspectSeries::kV1);
  EXPECT_EQ(SeriesOfName("Kprb", 22), MeminspectSeries::kUnknown);
}

TEST(RegionIdsTest, TheRfcCountsOneHigher) {
  ExpectName("md_Ktotalram5.BIN", "Ktotalram", 5);
  EXPECT_EQ(SeriesOfName("Ktotalram", 5), MeminspectSeries::kRfc2);
  EXPECT_EQ(SeriesOfName("Ktotalram", 4), MeminspectSeries::kUnknown);  // all of meminspect
  EXPECT_EQ(SymbolOfId(MeminspectSeries::kRfc2, 24), "prb");
  EXPECT_EQ(V1IdOf(MeminspectSeries::kRfc2, 24), 22u);
  EXPECT_EQ(V1IdOf(MeminspectSeries::kRfc2, 4), 0u);  // meminspect has no such region
  EXPECT_EQ(V1IdOf(MeminspectSeries::kRfc3, 49), 49u);
  EXPECT_EQ(V1IdOf(MeminspectSeries::kV3, 28), 27u);
  EXPECT_EQ(SymbolOfId(MeminspectSeries::kRfc2, 47), "init_uts_ns_name");
  EXPECT_EQ(SymbolOfId(MeminspectSeries::kRfc3, 47), "");
  for (MeminspectSeries series : {MeminspectSeries::kV1, MeminspectSeries::kV3, MeminspectSeries::kRfc1,
                                  MeminspectSeries::kRfc2, MeminspectSeries::kRfc3}) {
    EXPECT_EQ(SeriesOfText(SeriesName(series)), series);
  }
  EXPECT_EQ(SeriesOfText("meminspect v9"), MeminspectSeries::kUnknown);
}

TEST(PlausibleContentTest, OnlyWhatCannotBeIsRefused) {
  const std::vector<uint8_t> zeros(8);
  for (const char* symbol :
       {"nr_threads", "jiffies_64", "kallsyms_num_syms", "high_memory", "no_such_symbol"}) {
    EXPECT_TRUE(IsPossibleContent(symbol, zeros)) << symbol;
    EXPECT_TRUE(IsPossibleContent(symbol, {})) << symbol;
  }
  const std::vector<uint8_t> code = {0x1f, 0x20, 0x03, 0xd5, 0xc0, 0x03, 0x5f, 0xd6};
  for (const char* symbol :
       {"nr_threads", "jiffies_64", "kallsyms_num_syms", "high_memory", "kallsyms_token_index",
        "kallsyms_markers", "kallsyms_relative_base", "nr_swapfiles"}) {
    EXPECT_FALSE(IsPossibleContent(symbol, code)) << symbol;
  }
  EXPECT_TRUE(IsPossibleContent("_text", code));
  const std::vector<uint8_t> index = {0, 0, 4, 0, 7, 0, 10, 0}, markers = {0, 0, 0, 0, 0xe2, 0x0a, 0, 0};
  EXPECT_TRUE(IsPossibleContent("kallsyms_token_index", index));
  EXPECT_TRUE(IsPossibleContent("kallsyms_markers", markers));
  EXPECT_FALSE(IsPossibleContent("kallsyms_markers", index));
}

TEST(RegionIdsTest, DynamicAndHostileIdsHaveNoSymbol) {
  for (uint32_t id : {0u, 44u, 200u, 201u, UINT32_MAX}) {
    EXPECT_EQ(SymbolOfId(MeminspectSeries::kV1, id), "") << id;
    EXPECT_TRUE(IsPlausibleSize(MeminspectSeries::kV1, id, 1)) << id;
  }
}

}  // namespace
}  // namespace corefleet

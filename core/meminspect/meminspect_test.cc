#include "core/meminspect/names.h"
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

TEST(RegionIdsTest, DynamicAndHostileIdsHaveNoSymbol) {
  for (uint32_t id : {0u, 44u, 200u, 201u, UINT32_MAX}) {
    EXPECT_EQ(SymbolOfId(MeminspectSeries::kV1, id), "") << id;
    EXPECT_TRUE(IsPlausibleSize(MeminspectSeries::kV1, id, 1)) << id;
  }
}

}  // namespace
}  // namespace corefleet

// Region sets with one thing wrong each, and hostile ones.
#include "core/reassembly/reassemble.h"

#include <algorithm>
#include <random>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/image_checks.h"
#include "tests/support/region_set_builder.h"

namespace corefleet {
namespace {

using testing::Contains;
using testing::IsEmpty;

RegionSetBuilder WithDynamics(MeminspectSeries series) {
  RegionSetBuilder plan(series);
  plan.Dynamic(11392).Dynamic(65536).Dynamic(224).Dynamic(3264).Dynamic(3264).Dynamic(3264);
  return plan;
}

class SeriesTest : public testing::TestWithParam<MeminspectSeries> {};
INSTANTIATE_TEST_SUITE_P(Series, SeriesTest,
                         testing::Values(MeminspectSeries::kV1, MeminspectSeries::kV2, MeminspectSeries::kV3,
                                         MeminspectSeries::kRfc2, MeminspectSeries::kRfc3));

TEST_P(SeriesTest, AWholeSetHasNoDefect) {
  const RegionSetBuilder plan = WithDynamics(GetParam());
  for (bool table : {false, true}) {
    const CoreImage image = Reassemble(plan.Build(table));
    EXPECT_THAT(Defects(image), IsEmpty());
    EXPECT_EQ(image.series, SeriesName(GetParam()));
    EXPECT_EQ(image.command_line, plan.command_line);
    EXPECT_EQ(image.segments.size(), plan.regions.size());
    ExpectNoWrongByte(plan, image);
  }
}

TEST_P(SeriesTest, EachRegionMissingIsNamed) {
  const RegionSetBuilder whole = WithDynamics(GetParam());
  for (const RegionSetBuilder::Planned& gone : whole.regions) {
    RegionSetBuilder plan = whole;
    plan.Find(gone.id).has_file = false;
    const CoreImage image = Reassemble(plan.Build());
    ExpectNoWrongByte(plan, image);
    EXPECT_FALSE(IsThere(plan, gone.id, image));
    EXPECT_THAT(Codes(image), testing::ElementsAre(DefectCode::kRegionMissing)) << gone.id << Defects(image);
    EXPECT_EQ(image.defects[0].region, absl::StrCat(gone.name, " ", gone.id));
  }
}

TEST(ReassembleTest, AStaleProgramHeaderIsAMissingRegion) {
  RegionSetBuilder plan(MeminspectSeries::kV1);
  plan.Find(26).has_file = false;  // unregistered: the phdr stays (v1, v2), the file is gone
  const CoreImage image = Reassemble(plan.Build(/*with_table=*/true));
  EXPECT_THAT(Codes(image), testing::ElementsAre(DefectCode::kRegionMissing));
  ExpectNoWrongByte(plan, image);
}

TEST(ReassembleTest, AFileWithoutAProgramHeaderIsUnplaced) {
  RegionSetBuilder plan = WithDynamics(MeminspectSeries::kV1);
  plan.Find(46).has_load = false;
  for (bool table : {false, true}) {
    const CoreImage image = Reassemble(plan.Build(table));
    EXPECT_THAT(Codes(image), testing::ElementsAre(DefectCode::kRegionUnplaced)) << Defects(image);
    ExpectNoWrongByte(plan, image);
  }
}

TEST(ReassembleTest, AFixedIdRegisteredLateStandsAtTheEnd) {
  RegionSetBuilder plan = WithDynamics(MeminspectSeries::kV1);
  RegionSetBuilder::Planned config;
  config.id = kConfigId;
  config.name = "Kconfig";
  config.paddr = 0xa0000000;
  config.vaddr = 0xffff000060000000;
  config.bytes.assign(4321, 'x');
  const std::string mark = "IKCFG_ST";
  std::copy(mark.begin(), mark.end(), config.bytes.begin());
  plan.regions.push_back(config);
  for (bool table : {false, true}) {
    const CoreImage image = Reassemble(plan.Build(table));
    EXPECT_TRUE(IsThere(plan, kConfigId, image)) << Defects(image);
    EXPECT_THAT(Defects(image), IsEmpty());
    ExpectNoWrongByte(plan, image);
  }
}

TEST(ReassembleTest, AReusedDynamicIdIsOutOfOrder) {
  RegionSetBuilder plan = WithDynamics(MeminspectSeries::kV1);
  auto reused = plan.Find(46);
  plan.regions.erase(plan.regions.begin() + (&plan.Find(46) - plan.regions.data()));
  reused.bytes.assign(777 * 4, 9);
  plan.regions.push_back(reused);
  for (bool table : {false, true}) {
    const CoreImage image = Reassemble(plan.Build(table));
    EXPECT_TRUE(IsThere(plan, 46, image)) << Defects(image);
    ExpectNoWrongByte(plan, image);
  }
}

TEST(ReassembleTest, TwoProgramHeadersOfOneAddressAreToldApartBySize) {
  RegionSetBuilder plan(MeminspectSeries::kV1);
  plan.Dynamic(64).Dynamic(256);
  plan.Find(44).paddr = plan.Find(45).paddr;
  plan.Find(44).vaddr = plan.Find(45).vaddr;
  plan.Find(44).bytes.assign(64, plan.Find(45).bytes[0]);
  const RegionSet set = plan.Build(/*with_table=*/true);
  const CoreImage image = Reassemble(set);
  for (const Segment& segment : image.segments) {
    ASSERT_TRUE(segment.region);
    EXPECT_EQ(set.regions[*segment.region].bytes->size(), segment.size);
  }
}

TEST(ReassembleTest, OverlapsThatDifferAreTold) {
  RegionSetBuilder plan(MeminspectSeries::kV1);
  plan.Dynamic(256).Dynamic(256);
  plan.Find(45).paddr = plan.Find(44).paddr + 128;
  plan.Find(45).vaddr = plan.Find(44).vaddr + 128;
  const CoreImage image = Reassemble(plan.Build());
  ASSERT_THAT(Codes(image), testing::ElementsAre(DefectCode::kRegionOverlap));
  EXPECT_THAT(image.defects[0].detail, testing::HasSubstr("DIFFER"));
}

TEST(ReassembleTest, DuplicatesAreComparedAndTheFirstIsKept) {
  const RegionSetBuilder plan(MeminspectSeries::kV1);
  RegionSet set = plan.Build();
  Region same = set.regions[5];
  same.file_name = "zz" + same.file_name;
  Region other = set.regions[6];
  other.file_name = "zz" + other.file_name;
  other.bytes = std::make_shared<MemorySource>(std::vector<uint8_t>(other.bytes->size(), 0xee));
  set.regions.insert(set.regions.begin(), {same, other});
  const CoreImage image = Reassemble(set);
  ExpectNoWrongByte(plan, image);
  ASSERT_THAT(Codes(image), testing::ElementsAre(DefectCode::kRegionDuplicate, DefectCode::kRegionDuplicate));
  EXPECT_THAT(Defects(image), testing::HasSubstr("has the same bytes"));
  EXPECT_THAT(Defects(image), testing::HasSubstr("OTHER BYTES"));
}

TEST(ReassembleTest, OverlongIsCut) {
  RegionSetBuilder plan(MeminspectSeries::kV1);
  RegionSet set = plan.Build();
  for (Region& region : set.regions) {
    if (region.id != 25) continue;
    std::vector<uint8_t> bytes = *ReadBytes(*region.bytes, 0, region.bytes->size());
    bytes.resize(bytes.size() + 1000, 0xee);
    region.bytes = std::make_shared<MemorySource>(bytes);
  }
  const CoreImage image = Reassemble(set);
  EXPECT_THAT(Codes(image), testing::ElementsAre(DefectCode::kRegionOverlong));
  ExpectNoWrongByte(plan, image);
}

TEST(ReassembleTest, DamagedNotesLoseOnlyTheCommandLine) {
  RegionSetBuilder plan(MeminspectSeries::kV1);
  plan.edit_header_bytes = [](std::vector<uint8_t>* bytes) {
    std::fill(bytes->begin() + 12288, bytes->end(), 0xa5);
  };
  const CoreImage image = Reassemble(plan.Build());
  EXPECT_THAT(Codes(image), testing::ElementsAre(DefectCode::kNotesDamaged));
  EXPECT_EQ(image.command_line, "");
  ExpectNoWrongByte(plan, image);
}

TEST(ReassembleTest, AHeaderCutInItsTableStillPlacesWhatItHas) {
  RegionSetBuilder plan = WithDynamics(MeminspectSeries::kV1);
  plan.edit_header_bytes = [](std::vector<uint8_t>* bytes) { bytes->resize(64 + 56 * 20 + 7); };
  for (bool table : {false, true}) {
    const CoreImage image = Reassemble(plan.Build(table));
    EXPECT_THAT(Codes(image), Contains(DefectCode::kHeaderDamaged));
    ExpectNoWrongByte(plan, image);
    EXPECT_TRUE(IsThere(plan, 4, image));
    EXPECT_TRUE(IsThere(plan, 22, image)) << Defects(image);
    if (table) {
      EXPECT_TRUE(IsThere(plan, 49, image)) << Defects(image);
    }
  }
}

TEST(ReassembleTest, HostileProgramHeadersAreIgnored) {
  for (uint64_t evil : {UINT64_MAX, UINT64_MAX - 3, uint64_t{1} << 63}) {
    RegionSetBuilder plan(MeminspectSeries::kV1);
    plan.edit_loads = [evil](std::vector<ProgramHeader>* loads) {
      (*loads)[3].offset = evil;
      (*loads)[5].file_size = (*loads)[5].memory_size = evil;
      (*loads)[7].paddr = evil;
      (*loads)[9].vaddr = UINT64_MAX - 1;
    };
    const CoreImage image = Reassemble(plan.Build());
    EXPECT_THAT(Codes(image), Contains(DefectCode::kAddressOverflow));
    ExpectNoWrongByte(plan, image);
  }
}

TEST(ReassembleTest, ACountOfProgramHeadersThatCannotBe) {
  RegionSetBuilder plan(MeminspectSeries::kV1);
  plan.edit_header = [](ElfHeader* header) { header->program_header_count = 0xffff; };
  const CoreImage image = Reassemble(plan.Build());
  EXPECT_THAT(Codes(image), Contains(DefectCode::kHeaderDamaged));
  ExpectNoWrongByte(plan, image);
  EXPECT_TRUE(IsThere(plan, 43, image));
}

TEST(ReassembleTest, TwoHundredAndOneRegions) {
  RegionSetBuilder plan(MeminspectSeries::kV1);
  while (plan.regions.back().id < kMaxRegionId) plan.Dynamic(3264);
  const CoreImage image = Reassemble(plan.Build());
  EXPECT_THAT(Defects(image), IsEmpty());
  ExpectNoWrongByte(plan, image);
}

TEST(ReassembleTest, OtherElfClassesAreNamed) {
  for (size_t at : {4u, 5u}) {
    RegionSetBuilder plan(MeminspectSeries::kV1);
    plan.edit_header_bytes = [at](std::vector<uint8_t>* bytes) { (*bytes)[at] = at == 4 ? 1 : 2; };
    const CoreImage image = Reassemble(plan.Build());
    EXPECT_THAT(Codes(image), Contains(DefectCode::kUnsupported));
    ExpectNoWrongByte(plan, image);
  }
}

TEST(ReassembleTest, NoNamesAtAll) {
  const RegionSetBuilder plan = WithDynamics(MeminspectSeries::kV1);
  RegionSet set = plan.Build();
  int n = 0;
  for (Region& region : set.regions) {
    region.file_name = absl::StrCat(n++, ".raw");
    region.name.clear();
    region.id.reset();
  }
  const CoreImage image = Reassemble(set);
  ExpectNoWrongByte(plan, image);
  for (uint32_t id : {11u, 19u, 20u, 22u, 23u, 24u, 25u, 27u, 44u, 45u}) {
    EXPECT_TRUE(IsThere(plan, id, image)) << id << Defects(image);
  }
  EXPECT_FALSE(IsThere(plan, 5, image)) << "four masks of one size cannot be told apart";
  EXPECT_THAT(Codes(image), Contains(DefectCode::kRegionAmbiguous));
}

// All names mixed up. A byte may only be wrong where the doubt about its size class is reported.
TEST(ReassembleTest, AllNamesPermuted) {
  const RegionSetBuilder plan = WithDynamics(MeminspectSeries::kV1);
  std::mt19937 random(42);
  for (int round = 0; round < 50; ++round) {
    RegionSet set = plan.Build();
    std::vector<std::shared_ptr<const ByteSource>> bytes;
    for (const Region& region : set.regions) bytes.push_back(region.bytes);
    std::shuffle(bytes.begin(), bytes.end(), random);
    for (size_t i = 0; i < bytes.size(); ++i) set.regions[i].bytes = bytes[i];
    const CoreImage image = Reassemble(set);
    for (uint32_t id : {11u, 19u, 20u, 22u, 23u, 24u, 25u, 27u, 44u, 45u}) {
      ASSERT_TRUE(IsThere(plan, id, image)) << round << " " << id << Defects(image) << [&] {
        std::string names;
        for (size_t i = 0; i < set.regions.size(); ++i) {
          absl::StrAppend(&names, set.regions[i].file_name, " ", set.regions[i].bytes->size(), "\n");
        }
        return names;
      }();
      std::vector<uint8_t> got(const_cast<RegionSetBuilder&>(plan).Find(id).bytes.size());
      ASSERT_TRUE(
          image.ReadVirtual(const_cast<RegionSetBuilder&>(plan).Find(id).vaddr, absl::MakeSpan(got)).ok());
      EXPECT_EQ(got, const_cast<RegionSetBuilder&>(plan).Find(id).bytes)
          << round << " " << id << Defects(image);
    }
    EXPECT_THAT(Codes(image), Contains(DefectCode::kRegionAmbiguous));
  }
}

// A thousand regions of one size, all called wrongly: work must stay bounded.
TEST(ReassembleTest, AThousandLookalikes) {
  RegionSetBuilder plan(MeminspectSeries::kV1);
  while (plan.regions.back().id < kMaxRegionId) plan.Dynamic(64);
  RegionSet set = plan.Build();
  for (size_t i = 2; i < set.regions.size(); ++i) {
    set.regions[i].id = 3 + i * 7 % 198;
    set.regions[i].name = "Kunknown";
  }
  for (uint32_t i = 0; set.regions.size() < kMaxRegions; ++i) {
    Region region;
    region.name = "Kunknown";
    region.id = 3 + i % 198;
    region.bytes =
        std::make_shared<MemorySource>(std::vector<uint8_t>(64 + i % 3 * 8, static_cast<uint8_t>(i)));
    set.regions.push_back(region);
  }
  const CoreImage image = Reassemble(set);
  EXPECT_EQ(image.regions.size(), kMaxRegions + std::count_if(image.segments.begin(), image.segments.end(),
                                                              [](const Segment& s) { return !s.region; }));
}

TEST(ReassembleTest, NothingAndGarbage) {
  EXPECT_THAT(Codes(Reassemble(RegionSet())),
              testing::UnorderedElementsAre(DefectCode::kHeaderMissing, DefectCode::kVmcoreinfoMissing));
  RegionSet set;
  for (int i = 0; i < 2000; ++i) {
    Region region;
    region.file_name = std::string(1, static_cast<char>(i));
    region.id = i % 300;
    region.kind = i % 17 == 0 ? RegionKind::kAddressTable : RegionKind::kMemory;
    region.paddr = i % 5 == 0 ? std::optional<uint64_t>(UINT64_MAX - i) : std::nullopt;
    region.bytes = std::make_shared<MemorySource>(std::vector<uint8_t>(i % 100, static_cast<uint8_t>(i)));
    set.regions.push_back(region);
  }
  const CoreImage image = Reassemble(set);
  EXPECT_THAT(Codes(image), Contains(DefectCode::kRegionUnplaced));
}

}  // namespace
}  // namespace corefleet

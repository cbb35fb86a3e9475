// What the formats' requirement list asks of a reassembler, a test a line: sets that are right although they
// look wrong, and sets with one thing wrong.
#include <algorithm>
#include <random>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/elf/elf_notes.h"
#include "core/export/artifact.h"
#include "core/reassembly/reassemble.h"
#include "core/rebuild.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/image_checks.h"
#include "tests/support/region_set_builder.h"

namespace corefleet {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

// The 56 files of the first cover letter: an arm64 board with eight CPUs, a configuration and an enlarged
// log.
RegionSetBuilder CoverLetter() {
  RegionSetBuilder plan(MeminspectSeries::kV1);
  RegionSetBuilder::Planned config;
  config.id = kConfigId;
  config.name = "Kconfig";
  config.paddr = 0x40800000;
  config.vaddr = 0xffff000000800000;  // its alias in the linear map
  config.bytes.assign(40000, 'c');
  const std::string mark = "IKCFG_ST";
  std::copy(mark.begin(), mark.end(), config.bytes.begin());
  plan.regions.insert(plan.regions.begin(), config);
  plan.Dynamic(11392).Dynamic(65536).Dynamic(224).Dynamic(1 << 16).Dynamic(24 << 8).Dynamic(88 << 8);
  for (int cpu = 0; cpu < 8; ++cpu) plan.Dynamic(3264);
  return plan;
}

std::set<std::string> NamesOf(const RegionSet& set) {
  std::set<std::string> names;
  for (const Region& region : set.regions) names.insert(region.file_name);
  return names;
}

Region& Named(RegionSet* set, const std::string& file_name) {
  return *std::find_if(set->regions.begin(), set->regions.end(),
                       [&](const Region& r) { return r.file_name == file_name; });
}

void SetBytes(std::vector<uint8_t> bytes, Region* region) {
  region->bytes = std::make_shared<MemorySource>(std::move(bytes));
}

TEST(RegionMatrixTest, TheCoverLettersFiftySixFilesAreComplete) {
  const RegionSetBuilder plan = CoverLetter();
  RegionSet set = plan.Build();
  const std::set<std::string> names = NamesOf(set);
  ASSERT_EQ(names.size(), 56u);
  for (const char* name :
       {"md_KELF1.BIN", "md_Kvmcorein2.BIN", "md_Kconfig3.BIN", "md_Ktotalram4.BIN", "md_Kcpu_poss5.BIN",
        "md_Kmem_sect9.BIN", "md_Klinux_ba11.BIN", "md_K__per_cp17.BIN", "md_Kprintk_r20.BIN",
        "md_Kprintk_r21.BIN", "md_Kprb_data25.BIN", "md_Khigh_mem26.BIN", "md_Kinit_mm27.BIN",
        "md_Kunknown29.BIN", "md_Kunknown57.BIN"}) {
    EXPECT_EQ(names.count(name), 1u) << name;
  }
  EXPECT_EQ(names.count("md_Kinit_mm_28.BIN") + names.count("md_Kunknown28.BIN"), 0u);
  std::mt19937 random(7);
  for (int round = 0; round < 5; ++round) {
    std::shuffle(set.regions.begin(), set.regions.end(), random);
    const CoreImage image = Reassemble(set);
    EXPECT_THAT(Defects(image), IsEmpty());
    EXPECT_EQ(image.series, "meminspect v1");
    EXPECT_EQ(CountThere(plan, image), plan.regions.size());
    ExpectNoWrongByte(plan, image);
  }
}

TEST(RegionMatrixTest, TheSecondSeriesLacks28And36AndIsComplete) {
  RegionSetBuilder plan(MeminspectSeries::kV2);
  for (int i = 0; i < 11; ++i) plan.Dynamic(3264);
  const std::set<std::string> names = NamesOf(plan.Build());
  EXPECT_EQ(names.count("md_Kunknown36.BIN") + names.count("md_Kunknown28.BIN"), 0u);
  EXPECT_EQ(names.count("md_Kunknown54.BIN"), 1u);
  EXPECT_THAT(Defects(Reassemble(plan.Build())), IsEmpty());
}

// v3 did not move its name table along with its ids: 29 is _sinittext, whatever it is called.
TEST(RegionMatrixTest, TheThirdSeriesWrongLabelIsNoMix_Up) {
  RegionSetBuilder plan(MeminspectSeries::kV3);
  const RegionSet set = plan.Build();
  EXPECT_EQ(NamesOf(set).count("md_Ktk_data29.BIN"), 1u);
  const CoreImage image = Reassemble(set);
  EXPECT_THAT(Defects(image), IsEmpty());
  EXPECT_EQ(image.series, "meminspect v3");
  for (const Segment& segment : image.segments) {
    if (segment.id == 29u) {
      EXPECT_EQ(segment.vaddr, plan.Find(29).vaddr);
    }
  }
}

// kmemdump RFC v1: no numbers, registered in any order. What address, content and unique sizes tell is
// placed.
TEST(RegionMatrixTest, TheRfcsFirstRevisionHasNamesOnly) {
  RegionSetBuilder plan(MeminspectSeries::kV1);
  std::mt19937 random(11);
  std::shuffle(plan.regions.begin(), plan.regions.end(), random);
  RegionSet set = plan.Build();
  for (Region& region : set.regions) {
    region.file_name = absl::StrCat("md_", region.name, ".BIN");
    region.id.reset();
  }
  const CoreImage image = Reassemble(set);
  EXPECT_EQ(image.series, "kmemdump RFC v1");
  ExpectNoWrongByte(plan, image);
  for (uint32_t id : {11u, 15u, 17u, 19u, 20u, 22u, 23u, 24u, 25u, 27u})
    EXPECT_TRUE(IsThere(plan, id, image)) << id << Defects(image);
}

// Whatever a tool makes of the names: other extensions and case, the prefix of a virtual machine, folders.
TEST(RegionMatrixTest, NamesAreReadInEveryDress) {
  const RegionSetBuilder plan = CoverLetter();
  for (const auto& [prefix, ending] :
       {std::pair{"md_", ".bin"}, {"MD_", ".Bin"}, {"md_2d_", ".BIN"}, {"memory/md_31_", ".bin"}}) {
    RegionSet set = plan.Build();
    for (Region& region : set.regions) {
      region.file_name = absl::StrCat(prefix, region.name, *region.id, ending);
      region.name.clear();
      region.id.reset();
    }
    const CoreImage image = Reassemble(set);
    EXPECT_THAT(Defects(image), IsEmpty()) << prefix << ending;
    EXPECT_EQ(CountThere(plan, image), plan.regions.size());
  }
}

// The kernel registers an enlarged log after it set its length to 0: a program header of size 0, and no file.
TEST(RegionMatrixTest, AProgramHeaderOfSizeZero) {
  const RegionSetBuilder whole = CoverLetter();
  RegionSetBuilder plan = whole;
  plan.Find(47).bytes.clear();
  plan.Find(47).has_file = false;
  const CoreImage image = Reassemble(plan.Build());
  EXPECT_THAT(Codes(image), ElementsAre(DefectCode::kRegionEmptyHeader)) << Defects(image);
  EXPECT_EQ(CountThere(plan, image), plan.regions.size());  // one of them has no bytes
  ExpectNoWrongByte(plan, image);
}

TEST(RegionMatrixTest, OverlapsThatAgreeAreSaidToOverlapAndNoMore) {
  RegionSetBuilder plan(MeminspectSeries::kV1);
  plan.Dynamic(256).Dynamic(256);
  plan.Find(45).paddr = plan.Find(44).paddr + 128;
  plan.Find(45).vaddr = plan.Find(44).vaddr + 128;
  plan.Find(45).bytes = plan.Find(44).bytes;
  const CoreImage image = Reassemble(plan.Build());
  ASSERT_THAT(Codes(image), ElementsAre(DefectCode::kRegionOverlap));
  EXPECT_THAT(image.defects[0].detail, testing::Not(testing::HasSubstr("DIFFER")));
  ExpectNoWrongByte(plan, image);
}

// Marks of eight bytes lie inside of other regions by design.
TEST(RegionMatrixTest, AMarkInsideOfARegionIsNoOverlap) {
  RegionSetBuilder plan(MeminspectSeries::kV1);
  plan.Find(33).paddr = plan.Find(32).paddr;
  plan.Find(33).vaddr = plan.Find(32).vaddr;
  plan.Find(33).bytes = plan.Find(32).bytes;
  EXPECT_THAT(Defects(Reassemble(plan.Build())), IsEmpty());
}

TEST(RegionMatrixTest, EachRegionCutShortKeepsWhatItHas) {
  const RegionSetBuilder plan = CoverLetter();
  for (const RegionSetBuilder::Planned& cut : plan.regions) {
    RegionSet set = plan.Build();
    Region& region = Named(&set, absl::StrCat("md_", cut.name, cut.id, ".BIN"));
    const size_t left = cut.bytes.size() / 2;
    SetBytes(std::vector<uint8_t>(cut.bytes.begin(), cut.bytes.begin() + left), &region);
    const CoreImage image = Reassemble(set);
    EXPECT_THAT(Codes(image), ElementsAre(DefectCode::kRegionTruncated)) << cut.id << Defects(image);
    ExpectNoWrongByte(plan, image);
    std::vector<uint8_t> bytes(left);
    EXPECT_TRUE(image.ReadVirtual(cut.vaddr, absl::MakeSpan(bytes)).ok()) << cut.id;
  }
}

TEST(RegionMatrixTest, EachRegionTooLongIsCut) {
  const RegionSetBuilder plan = CoverLetter();
  for (const RegionSetBuilder::Planned& longer : plan.regions) {
    RegionSet set = plan.Build();
    std::vector<uint8_t> bytes = longer.bytes;
    bytes.resize(bytes.size() + 4096, 0xee);
    SetBytes(std::move(bytes), &Named(&set, absl::StrCat("md_", longer.name, longer.id, ".BIN")));
    const CoreImage image = Reassemble(set);
    EXPECT_THAT(Codes(image), ElementsAre(DefectCode::kRegionOverlong)) << longer.id << Defects(image);
    ExpectNoWrongByte(plan, image);
    EXPECT_EQ(CountThere(plan, image), plan.regions.size());
  }
}

TEST(RegionMatrixTest, WithoutVmcoreinfoEveryRegionIsStillInItsPlace) {
  const RegionSetBuilder plan = CoverLetter();
  for (bool table : {false, true}) {
    RegionSet set = plan.Build(table);
    set.regions.erase(set.regions.begin() + 1);
    const CoreImage image = Reassemble(set);
    EXPECT_THAT(Codes(image), ElementsAre(DefectCode::kVmcoreinfoMissing)) << Defects(image);
    EXPECT_EQ(CountThere(plan, image), plan.regions.size());
    ExpectNoWrongByte(plan, image);
  }
}

// The notes lie in a page that the kernel did not own. The core gets new ones, VMCOREINFO's from its region.
TEST(RegionMatrixTest, DamagedNotesAreRebuilt) {
  RegionSetBuilder plan = CoverLetter();
  plan.edit_header_bytes = [](std::vector<uint8_t>* bytes) {
    std::fill(bytes->begin() + 12288, bytes->end(), 0xa5);
  };
  const RegionSet set = plan.Build();
  const CoreImage image = Reassemble(set);
  const auto core = MakeArtifact(ArtifactKind::kCore, image, set);
  ASSERT_TRUE(core.ok()) << core.status();
  const auto front = *ReadBytes(**core, 0, 65536);
  const auto table = ParseProgramHeaders(front, *ParseElfHeader(front), 1);
  ASSERT_EQ(table.size(), 1u);
  const auto notes = WalkNotes(ByteView(front).subspan(table[0].offset, table[0].file_size));
  ASSERT_EQ(notes.size(), 3u);
  EXPECT_EQ(notes[0].descriptor_size, PrstatusBytes(kElfMachineAarch64));
  EXPECT_EQ(notes[2].name, "VMCOREINFO");
  EXPECT_TRUE(absl::StartsWith(TextOf(notes[2].descriptor), "OSRELEASE=6.18.0-test\n"));
}

// Without a bounds check stale program headers run on into the slack in front of the notes.
TEST(RegionMatrixTest, MoreProgramHeadersThanTheKernelHasRoomFor) {
  RegionSetBuilder plan(MeminspectSeries::kV1);
  while (plan.regions.back().id < kMaxRegionId) plan.Dynamic(64);
  plan.edit_loads = [](std::vector<ProgramHeader>* loads) {
    for (uint64_t i = 0; loads->size() < 210; ++i)
      loads->push_back({kSegmentLoad, 6, 0, 0xffff0000f0000000 + i * 4096, 0xf0000000 + i * 4096, 64, 64, 0});
  };
  const CoreImage image = Reassemble(plan.Build());
  EXPECT_EQ(CountThere(plan, image), plan.regions.size()) << Defects(image);
  ExpectNoWrongByte(plan, image);
}

TEST(RegionMatrixTest, HeadersThatWeDoNotReadAreRefusedAndTheTablePlacesTheRest) {
  for (size_t at : {size_t{4}, size_t{5}}) {
    RegionSetBuilder plan = CoverLetter();
    plan.edit_header_bytes = [at](std::vector<uint8_t>* bytes) { (*bytes)[at] = at == 4 ? 1 : 2; };
    const CoreImage image = Reassemble(plan.Build(/*with_table=*/true));
    ASSERT_THAT(Codes(image), Contains(DefectCode::kUnsupported));
    EXPECT_THAT(Defects(image), testing::HasSubstr(at == 4 ? "a 32-bit ELF core" : "a big-endian ELF core"));
    EXPECT_EQ(CountThere(plan, image), plan.regions.size()) << Defects(image);
    ExpectNoWrongByte(plan, image);
  }
}

// A tool's core beside the files that it was made of: the same crash, and nothing twice.
TEST(RegionMatrixTest, TheAssembledFileBesideItsPartsChangesNothing) {
  const RegionSetBuilder plan = CoverLetter();
  RegionSet set = plan.Build();
  const CoreImage alone = Reassemble(set);
  const auto file = MakeArtifact(ArtifactKind::kConcat, alone, set);
  ASSERT_TRUE(file.ok()) << file.status();
  Region artifact;
  artifact.kind = RegionKind::kArtifact;
  artifact.file_name = "minidump.elf";
  artifact.bytes = *file;
  set.regions.push_back(artifact);
  const CoreImage image = Rebuild(set, nullptr).image;
  EXPECT_THAT(Defects(image), IsEmpty());
  EXPECT_EQ(CountThere(plan, image), plan.regions.size());
  EXPECT_EQ(image.regions.size(), alone.regions.size() + 1);  // the file itself
  // And it stands in for a file that got lost.
  set.regions.erase(set.regions.begin() + 10);
  const CoreImage repaired = Rebuild(set, nullptr).image;
  EXPECT_EQ(CountThere(plan, repaired), plan.regions.size()) << Defects(repaired);
}

// Somebody fetches a core and sends it in again.
TEST(RegionMatrixTest, OurOwnCoreComesBackAsTheSameMemory) {
  const RegionSetBuilder plan = CoverLetter();
  const RegionSet set = plan.Build();
  const auto core = MakeArtifact(ArtifactKind::kCore, Reassemble(set), set);
  ASSERT_TRUE(core.ok()) << core.status();
  Region artifact;
  artifact.kind = RegionKind::kArtifact;
  artifact.file_name = "core";
  artifact.bytes = *core;
  const CoreImage image = Rebuild(RegionSet{{artifact}}, nullptr).image;
  EXPECT_EQ(image.source, "vmcore");
  EXPECT_EQ(CountThere(plan, image), plan.regions.size()) << Defects(image);
  ExpectNoWrongByte(plan, image);
  EXPECT_EQ(image.vmcoreinfo.Text("OSRELEASE"), "6.18.0-test");
}

}  // namespace
}  // namespace corefleet

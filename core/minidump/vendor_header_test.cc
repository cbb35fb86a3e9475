#include "core/minidump/vendor_header.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/analyze.h"
#include "core/elf/elf_header.h"
#include "core/export/artifact.h"
#include "core/minidump/vendor_header_writer.h"
#include "core/printk/ring_writer.h"
#include "core/rebuild.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

using testing::Contains;
using testing::IsEmpty;
using testing::Not;

constexpr uint64_t kLinear = 0xffffff8000000000;

VendorMinidumpPlan::Part Part(const std::string& name, uint64_t paddr, std::vector<uint8_t> bytes) {
  return {name, kLinear + paddr, paddr, std::move(bytes)};
}

RingWriter Ring() {
  RingWriter ring({.count_bits = 5, .size_bits = 12});
  for (int i = 0; i < 20; ++i)
    ring.Add({.text = absl::StrCat("line ", i), .ts_nsec = static_cast<uint64_t>(i + 1) * 1000000});
  return ring;
}

VendorMinidumpPlan Phone() {
  const RingWriter ring = Ring();
  VendorMinidumpPlan plan;
  plan.parts = {Part("KLOGBUF", 0xa1000000, ring.data),
                Part("LOG_DESC", 0xa2000000, ring.descs),
                Part("LOG_INFO", 0xa3000000, ring.infos),
                Part("KTASK_STACK", 0xa4000000, std::vector<uint8_t>(4096, 4)),
                Part("KISTK0", 0xa5000000, std::vector<uint8_t>(256, 5)),
                Part("KISTK1", 0xa6000000, std::vector<uint8_t>(256, 6)),
                Part("KRUNQUEUE", 0xa7000000, std::vector<uint8_t>(640, 7)),
                Part("KRUNQUEUE", 0xa8000000, std::vector<uint8_t>(640, 8))};
  return plan;
}

Region File(const std::string& file_name, std::vector<uint8_t> bytes) {
  Region region;
  region.file_name = file_name;
  region.bytes = std::make_shared<MemorySource>(std::move(bytes));
  return region;
}

// Files as the firmware names them: a name that came before gets a counter.
RegionSet Files(const VendorMinidumpPlan& plan, const std::string& prefix = "md_",
                const std::string& ending = ".BIN") {
  RegionSet set;
  set.regions.push_back(File(prefix + "KELF_HDR" + ending, WriteVendorHeader(plan)));
  std::map<std::string, int> seen;
  for (const VendorMinidumpPlan::Part& part : plan.parts) {
    const int n = seen[part.name]++;
    set.regions.push_back(
        File(absl::StrCat(prefix, part.name, n == 0 ? "" : absl::StrCat(n), ending), part.bytes));
  }
  return set;
}

struct Result {
  Rebuilt rebuilt;
  Analysis analysis;
};
Result Read(const RegionSet& set) {
  Result result{Rebuild(set, nullptr), {}};
  result.analysis = Analyze(result.rebuilt.image, result.rebuilt.set);
  return result;
}

std::string Defects(const Result& result) {
  std::string text;
  for (const Defect& d : result.analysis.facts.defects)
    absl::StrAppend(&text, DefectCodeName(d.code), " [", d.region, "] ", d.detail, "\n");
  return text;
}

size_t CountRight(const VendorMinidumpPlan& plan, const Result& result) {
  size_t right = 0;
  for (const VendorMinidumpPlan::Part& part : plan.parts) {
    std::vector<uint8_t> bytes(part.bytes.size());
    if (!result.rebuilt.image.ReadPhysical(part.paddr, absl::MakeSpan(bytes)).ok()) continue;
    EXPECT_EQ(bytes, part.bytes) << part.name;
    ++right;
  }
  return right;
}

TEST(VendorHeaderTest, WhatIsWrittenIsReadBack) {
  const VendorMinidumpPlan plan = Phone();
  const std::vector<uint8_t> bytes = WriteVendorHeader(plan);
  EXPECT_EQ(bytes.size(), (27880 + plan.banner.size() + 1 + 3) / 4 * 4);
  EXPECT_TRUE(LooksLikeVendorHeader(bytes));
  const auto header = ReadVendorHeader(MemorySource(bytes));
  ASSERT_TRUE(header);
  ASSERT_EQ(header->regions.size(), plan.parts.size() + 1);
  EXPECT_EQ(header->regions[0].name, "linux_banner");
  EXPECT_TRUE(header->regions[0].inside);
  EXPECT_EQ(header->regions[4].name, "KTASK_STACK");
  EXPECT_EQ(header->regions[4].paddr, 0xa4000000u);
  EXPECT_EQ(header->size, bytes.size());
}

TEST(VendorHeaderTest, AWholeSet) {
  for (const auto& [prefix, ending] :
       {std::pair<std::string, std::string>{"md_", ".BIN"}, {"md_", ".bin"}, {"md_2d_", ".BIN"}}) {
    const VendorMinidumpPlan plan = Phone();
    const Result result = Read(Files(plan, prefix, ending));
    EXPECT_EQ(CountRight(plan, result), plan.parts.size()) << Defects(result);
    const CrashFacts& facts = result.analysis.facts;
    EXPECT_EQ(facts.source, "minidump");
    ASSERT_TRUE(facts.release) << Defects(result);
    EXPECT_EQ(facts.release->value, "5.15.94-android13-8-test");
    EXPECT_EQ(result.analysis.log.records.size(), 20u) << Defects(result);
    EXPECT_THAT(Defects(result), Not(testing::HasSubstr("VMCOREINFO_MISSING")));
    EXPECT_THAT(Defects(result), Not(testing::HasSubstr("NOTES_DAMAGED")));
    EXPECT_THAT(Defects(result), Not(testing::HasSubstr("REGION_")));
  }
}

// As collectors hand them over: the digits at a name's end are taken for an id.
TEST(VendorHeaderTest, DigitsAreNoIds) {
  const VendorMinidumpPlan plan = Phone();
  RegionSet set = Files(plan);
  for (Region& region : set.regions) {
    if (region.file_name != "md_KISTK1.BIN" && region.file_name != "md_KRUNQUEUE1.BIN") continue;
    region.name = region.file_name.substr(3, region.file_name.size() - 8);
    region.id = 1;
  }
  const Result result = Read(set);
  EXPECT_EQ(CountRight(plan, result), plan.parts.size()) << Defects(result);
}

TEST(VendorHeaderTest, NamesThatAreCutStillMatch) {
  const VendorMinidumpPlan plan = Phone();
  RegionSet set = Files(plan);
  for (Region& region : set.regions) {
    if (region.file_name == "md_KTASK_STACK.BIN") region.file_name = "md_KTASK_STA.BIN";
  }
  const Result result = Read(set);
  EXPECT_EQ(CountRight(plan, result), plan.parts.size()) << Defects(result);
}

TEST(VendorHeaderTest, AMissingFileIsNamedAndMovesNothing) {
  const VendorMinidumpPlan plan = Phone();
  for (size_t gone = 1; gone <= plan.parts.size(); ++gone) {
    RegionSet set = Files(plan);
    set.regions.erase(set.regions.begin() + gone);
    const Result result = Read(set);
    EXPECT_EQ(CountRight(plan, result), plan.parts.size() - 1) << Defects(result);
    EXPECT_THAT(Defects(result),
                testing::HasSubstr(absl::StrCat("REGION_MISSING [", plan.parts[gone - 1].name, "]")));
    EXPECT_EQ(result.analysis.facts.state, CrashState::kPartial);
  }
}

TEST(VendorHeaderTest, TheToolsSingleFileIsTakenApart) {
  const VendorMinidumpPlan plan = Phone();
  std::vector<uint8_t> bytes = WriteVendorHeader(plan);
  for (const VendorMinidumpPlan::Part& part : plan.parts)
    bytes.insert(bytes.end(), part.bytes.begin(), part.bytes.end());
  for (size_t cut : {size_t{0}, size_t{100}}) {
    Region file = File("ap_minidump.elf", std::vector<uint8_t>(bytes.begin(), bytes.end() - cut));
    file.kind = RegionKind::kArtifact;
    const Result result = Read(RegionSet{{file}});
    EXPECT_EQ(result.analysis.facts.source, "minidump");
    EXPECT_EQ(CountRight(plan, result), plan.parts.size() - (cut != 0)) << Defects(result);
    EXPECT_EQ(result.analysis.log.records.size(), 20u) << Defects(result);
    ASSERT_TRUE(result.analysis.facts.release) << Defects(result);
  }
}

TEST(VendorHeaderTest, TheCoreHasNotesForGdbAndNoVmcoreinfo) {
  const Result result = Read(Files(Phone()));
  const auto core = MakeArtifact(ArtifactKind::kCore, result.rebuilt.image, result.rebuilt.set);
  ASSERT_TRUE(core.ok()) << core.status();
  const auto bytes = *ReadBytes(**core, 0, (*core)->size());
  const auto header = ParseElfHeader(bytes);
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(header->machine, kElfMachineAarch64);
  const auto table = ParseProgramHeaders(bytes, *header, 100);
  ASSERT_EQ(table.size(), 1 + Phone().parts.size() + 1);
  EXPECT_EQ(table[0].type, kSegmentNote);
  EXPECT_EQ(table[0].file_size, 12u + 8 + 392 + 12 + 8 + 136);
}

TEST(VendorHeaderTest, EveryPrefixAndHostileBytes) {
  const std::vector<uint8_t> whole = WriteVendorHeader(Phone());
  for (size_t n = 0; n < whole.size(); n += 97)
    ReadVendorHeader(MemorySource(std::vector<uint8_t>(whole.begin(), whole.begin() + n)));
  for (size_t at = 0; at < 64 + 64 * 6; at += 4) {
    std::vector<uint8_t> bytes = whole;
    std::fill_n(bytes.begin() + at, 8, 0xff);
    RegionSet set = Files(Phone());
    set.regions[0].bytes = std::make_shared<MemorySource>(bytes);
    Read(set);
  }
}

}  // namespace
}  // namespace corefleet

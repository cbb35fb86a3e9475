// Real crashes, and the same damaged on purpose: whatever is done to one region, every other keeps its place.
#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "core/reassembly/reassemble.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/corpus.h"

namespace corefleet {
namespace {

struct Truth {
  uint64_t paddr, vaddr, size;
  uint32_t id;
  std::string what;
};

using Truths = std::map<std::string, Truth>;

Truths ReadTruth(const CorpusCase& crash) {
  Truths truth;
  const nlohmann::json file = nlohmann::json::parse(crash.file("regions.json"));
  for (const auto& region : file["regions"]) {
    if (region["file"].is_null() || region["vaddr"].is_null()) continue;
    auto number = [&region](const char* key) {
      return std::stoull(region[key].get<std::string>(), nullptr, 16);
    };
    truth[region["file"]] = {number("paddr"), number("vaddr"), region["size"], region["id"], region["what"]};
  }
  return truth;
}

// What each file of a case really is, by file name: its place in memory. Header and VMCOREINFO have none.
// Read once: hundreds of images are held against one case's truth, and its JSON takes longer than to
// reassemble one.
const Truths& TruthOf(const CorpusCase& crash) {
  static auto* const truths = new std::map<std::string, Truths>();
  auto known = truths->find(crash.name);
  if (known == truths->end()) known = truths->emplace(crash.name, ReadTruth(crash)).first;
  return known->second;
}

const std::vector<CorpusCase>& Corpus() {
  static const auto* const corpus = new std::vector<CorpusCase>(ReadCorpus());
  return *corpus;
}

std::vector<uint8_t> Everything(const ByteSource& source) { return *ReadBytes(source, 0, source.size()); }

bool Has(const CoreImage& image, DefectCode code) {
  return std::any_of(image.defects.begin(), image.defects.end(),
                     [code](const Defect& d) { return d.code == code; });
}

std::string Defects(const CoreImage& image) {
  std::string text;
  for (const Defect& d : image.defects) {
    absl::StrAppend(&text, DefectCodeName(d.code), " [", d.region, "] ", d.detail, "\n");
  }
  return text;
}

// Checks that every segment that has a region has the right one. Returns how many have.
size_t ExpectAllInPlace(const CorpusCase& crash, const RegionSet& set, const CoreImage& image,
                        const std::map<std::string, std::string>& real_name = {}) {
  const Truths& truth = TruthOf(crash);
  size_t placed = 0;
  for (const Segment& segment : image.segments) {
    if (!segment.region) continue;
    std::string file = set.regions[*segment.region].file_name;
    if (auto renamed = real_name.find(file); renamed != real_name.end()) file = renamed->second;
    auto found = truth.find(file);
    if (found == truth.end()) {
      ADD_FAILURE() << crash.name << ": " << file << " has no place in memory, but is in one";
      continue;
    }
    if (segment.has_paddr) {
      EXPECT_EQ(segment.paddr, found->second.paddr) << crash.name << " " << file;
    }
    if (segment.has_vaddr) {
      EXPECT_EQ(segment.vaddr, found->second.vaddr) << crash.name << " " << file;
    }
    EXPECT_EQ(segment.size, found->second.size) << crash.name << " " << file;
    if (real_name.empty()) {
      EXPECT_EQ(segment.id, found->second.id) << crash.name << " " << file;
    }
    ++placed;
  }
  return placed;
}

RegionSet Without(RegionSet set, const std::string& file) {
  set.regions.erase(std::remove_if(set.regions.begin(), set.regions.end(),
                                   [&](const Region& r) { return r.file_name == file; }),
                    set.regions.end());
  return set;
}

class CorpusTest : public testing::TestWithParam<WithTable> {};

INSTANTIATE_TEST_SUITE_P(Table, CorpusTest, testing::Values(WithTable::kNo, WithTable::kYes));

TEST_P(CorpusTest, AWholeSetIsPlacedWithoutADefect) {
  for (const CorpusCase& crash : Corpus()) {
    const RegionSet set = RegionsOf(crash, GetParam());
    const CoreImage image = Reassemble(set);
    EXPECT_EQ(ExpectAllInPlace(crash, set, image), TruthOf(crash).size()) << crash.name;
    const auto layout = nlohmann::json::parse(crash.file("regions.json"))["layout"].get<std::string>();
    EXPECT_EQ(image.series, "meminspect " + layout) << crash.name;
    EXPECT_EQ(image.vmcoreinfo_size, crash.file("md_Kvmcorein2.BIN").size()) << crash.name;
    EXPECT_EQ(image.header_size - image.vmcoreinfo_size, crash.file("md_KELF1.BIN").size()) << crash.name;
    EXPECT_THAT(image.command_line, testing::HasSubstr("console=")) << crash.name;
    // The v3 case has the program header of size 0 that v3's bug makes.
    if (layout == "v3") {
      ASSERT_EQ(image.defects.size(), 1u) << Defects(image);
      EXPECT_EQ(image.defects[0].code, DefectCode::kRegionEmptyHeader);
    } else {
      EXPECT_THAT(Defects(image), testing::IsEmpty()) << crash.name;
    }
  }
}

TEST_P(CorpusTest, OrderOfArrivalMeansNothing) {
  for (const CorpusCase& crash : Corpus()) {
    RegionSet set = RegionsOf(crash, GetParam());
    const CoreImage straight = Reassemble(set);
    std::reverse(set.regions.begin(), set.regions.end());
    std::rotate(set.regions.begin(), set.regions.begin() + 7, set.regions.end());
    const CoreImage shuffled = Reassemble(set);
    EXPECT_EQ(ExpectAllInPlace(crash, set, shuffled), TruthOf(crash).size());
    EXPECT_EQ(Defects(straight), Defects(shuffled));
    ASSERT_EQ(straight.segments.size(), shuffled.segments.size());
    for (size_t i = 0; i < straight.segments.size(); ++i) {
      EXPECT_EQ(straight.segments[i].name, shuffled.segments[i].name);
    }
  }
}

TEST_P(CorpusTest, OneFileMissingMovesNoOther) {
  for (const CorpusCase& crash : Corpus()) {
    const RegionSet whole = RegionsOf(crash, GetParam());
    const Truths& truth = TruthOf(crash);
    for (const Region& region : whole.regions) {
      if (region.kind != RegionKind::kMemory) continue;
      SCOPED_TRACE(crash.name + " without " + region.file_name);
      const RegionSet set = Without(whole, region.file_name);
      const CoreImage image = Reassemble(set);
      const size_t placed = ExpectAllInPlace(crash, set, image);
      if (region.file_name == "md_KELF1.BIN") {
        EXPECT_TRUE(Has(image, DefectCode::kHeaderMissing));
        if (GetParam() == WithTable::kYes) {
          EXPECT_EQ(placed, truth.size()) << Defects(image);
        }
      } else if (region.file_name == "md_Kvmcorein2.BIN") {
        EXPECT_EQ(placed, truth.size()) << Defects(image);
        EXPECT_TRUE(Has(image, DefectCode::kVmcoreinfoMissing));
      } else {
        EXPECT_EQ(placed, truth.size() - 1) << Defects(image);
        EXPECT_TRUE(Has(image, DefectCode::kRegionMissing));
        EXPECT_FALSE(Has(image, DefectCode::kRegionMislabelled)) << Defects(image);
        EXPECT_FALSE(Has(image, DefectCode::kRegionAmbiguous)) << Defects(image);
      }
    }
  }
}

TEST_P(CorpusTest, OneFileCutShortKeepsItsPlace) {
  for (const CorpusCase& crash : Corpus()) {
    const RegionSet whole = RegionsOf(crash, GetParam());
    const Truths& truth = TruthOf(crash);
    for (size_t i = 0; i < whole.regions.size(); ++i) {
      const auto here = truth.find(whole.regions[i].file_name);
      if (here == truth.end()) continue;
      const std::vector<uint8_t> bytes = Everything(*whole.regions[i].bytes);
      for (size_t length : {size_t{0}, size_t{1}, size_t{4}, size_t{8}, bytes.size() / 2, bytes.size() - 1}) {
        if (length >= bytes.size()) continue;
        SCOPED_TRACE(absl::StrCat(crash.name, " ", here->first, " cut to ", length));
        RegionSet set = whole;
        set.regions[i].bytes =
            std::make_shared<MemorySource>(std::vector<uint8_t>(bytes.begin(), bytes.begin() + length));
        const CoreImage image = Reassemble(set);
        EXPECT_EQ(ExpectAllInPlace(crash, set, image), truth.size()) << Defects(image);
        EXPECT_TRUE(Has(image, DefectCode::kRegionTruncated)) << Defects(image);
        EXPECT_FALSE(Has(image, DefectCode::kRegionMislabelled)) << Defects(image);
      }
    }
  }
}

// Exchanges two files' names. Everything that stands somewhere must stand right, or the doubt must be
// reported.
TEST_P(CorpusTest, TwoNamesExchangedAreFoundOutOrHarmless) {
  for (const CorpusCase& crash : Corpus()) {
    const RegionSet whole = RegionsOf(crash, GetParam());
    const Truths& truth = TruthOf(crash);
    for (size_t i = 0; i < whole.regions.size(); ++i) {
      for (size_t j : {i + 1, i + 5, i + 11}) {
        if (j >= whole.regions.size()) continue;
        const Region &a = whole.regions[i], &b = whole.regions[j];
        if (a.kind != RegionKind::kMemory || b.kind != RegionKind::kMemory) continue;
        if (a.bytes->size() == b.bytes->size()) continue;
        SCOPED_TRACE(absl::StrCat(crash.name, " ", a.file_name, " <-> ", b.file_name));
        RegionSet set = whole;
        std::swap(set.regions[i].bytes, set.regions[j].bytes);
        const CoreImage image = Reassemble(set);
        const size_t placed =
            ExpectAllInPlace(crash, set, image, {{a.file_name, b.file_name}, {b.file_name, a.file_name}});
        EXPECT_EQ(placed, truth.size()) << Defects(image);
        EXPECT_TRUE(Has(image, DefectCode::kRegionMislabelled) || !truth.count(a.file_name) ||
                    !truth.count(b.file_name))
            << Defects(image);
      }
    }
  }
}

TEST(CorpusWithoutHeaderTest, WithoutHeaderAndTableTheLogsRegionsStillStand) {
  for (const CorpusCase& crash : Corpus()) {
    const RegionSet set = Without(RegionsOf(crash, WithTable::kNo), "md_KELF1.BIN");
    const CoreImage image = Reassemble(set);
    ExpectAllInPlace(crash, set, image);
    const Truths& truth = TruthOf(crash);
    for (absl::string_view name : {"md_Kprb22.BIN", "md_Kprintk_r20.BIN", "md_Kinit_uts19.BIN"}) {
      std::vector<uint8_t> bytes(8);
      EXPECT_TRUE(image.ReadVirtual(truth.at(std::string(name)).vaddr, absl::MakeSpan(bytes)).ok())
          << crash.name << " " << name;
    }
  }
}

TEST(CorpusWithoutHeaderTest, TheTableAloneGivesVirtualAddressesToo) {
  for (const CorpusCase& crash : Corpus()) {
    const RegionSet set = Without(RegionsOf(crash, WithTable::kYes), "md_KELF1.BIN");
    const CoreImage image = Reassemble(set);
    for (const Segment& segment : image.segments) {
      if (!segment.region) continue;
      EXPECT_TRUE(segment.has_vaddr && segment.has_paddr)
          << crash.name << " " << segment.name << " " << segment.id.value_or(0) << "\n"
          << Defects(image);
    }
  }
}

}  // namespace
}  // namespace corefleet

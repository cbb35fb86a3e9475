#include "core/rebuild.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "core/analyze.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/corpus.h"

namespace corefleet {
namespace {

Region File(const std::string& name, std::vector<uint8_t> bytes) {
  Region region;
  region.kind = RegionKind::kArtifact;
  region.file_name = name;
  region.bytes = std::make_shared<MemorySource>(std::move(bytes));
  return region;
}

std::vector<DefectCode> CodesOf(const CoreImage& image) {
  std::vector<DefectCode> codes;
  for (const Defect& defect : image.defects) codes.push_back(defect.code);
  return codes;
}

TEST(RebuildTest, AFileOfNoKnownKindIsKeptAndSaidToBeSo) {
  RegionSet received;
  received.regions.push_back(File("what.dat", std::vector<uint8_t>(5000, 0xa5)));
  const Rebuilt rebuilt = Rebuild(received, nullptr);
  const CrashFacts facts = Analyze(rebuilt.image, rebuilt.set).facts;
  EXPECT_EQ(facts.state, CrashState::kUnreadable);
  EXPECT_EQ(facts.source, "opaque");
  ASSERT_EQ(facts.regions.size(), 1u);
  EXPECT_EQ(facts.regions[0].state, RegionState::kOpaque);
  EXPECT_EQ(facts.regions[0].file_name, "what.dat");
  EXPECT_EQ(facts.regions[0].received, 5000u);
  EXPECT_EQ(facts.regions[0].sha256.size(), 64u);
  EXPECT_THAT(CodesOf(rebuilt.image), testing::Contains(DefectCode::kUnrecognised));
}

TEST(RebuildTest, AnEmptyFileIsOne) {
  RegionSet received;
  received.regions.push_back(File("empty", {}));
  EXPECT_EQ(Rebuild(received, nullptr).image.regions.size(), 1u);
}

TEST(RebuildTest, NothingReceivedIsNothing) {
  const Rebuilt rebuilt = Rebuild(RegionSet(), nullptr);
  EXPECT_TRUE(rebuilt.set.regions.empty());
  EXPECT_TRUE(rebuilt.image.regions.empty());
}

TEST(RebuildTest, RealRegionFoldersComeOutAsReassembled) {
  for (const CorpusCase& crash : ReadCorpus()) {
    const RegionSet received = RegionsOf(crash, WithTable::kYes);
    const Rebuilt rebuilt = Rebuild(received, nullptr);
    EXPECT_EQ(rebuilt.image.source, "meminspect") << crash.name;
    EXPECT_EQ(rebuilt.set.regions.size(), received.regions.size()) << crash.name;
    EXPECT_TRUE(rebuilt.image.has_header) << crash.name;
  }
}

TEST(RebuildTest, AStrangeFileBesideRealRegionsChangesNothingElse) {
  const RegionSet plain = RegionsOf(ReadCorpusCase("a47-null-oops"), WithTable::kNo);
  RegionSet received = plain;
  received.regions.push_back(File("strange", std::vector<uint8_t>(100, 0x5a)));
  const Rebuilt with = Rebuild(received, nullptr);
  const Rebuilt without = Rebuild(plain, nullptr);
  EXPECT_EQ(with.image.regions.size(), without.image.regions.size() + 1);
  EXPECT_EQ(with.image.segments.size(), without.image.segments.size());
  EXPECT_EQ(with.image.defects.size(), without.image.defects.size() + 1);
  EXPECT_EQ(Analyze(with.image, with.set).facts.state, Analyze(without.image, without.set).facts.state);
}

}  // namespace
}  // namespace corefleet

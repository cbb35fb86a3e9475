#include "core/minidump/coprocessor.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/analyze.h"
#include "core/minidump/coprocessor_writer.h"
#include "core/rebuild.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

using testing::Contains;
using testing::IsEmpty;

CoprocessorPlan Modem() {
  CoprocessorPlan plan;
  plan.parts = {{"SSR_REASON", 0x8b800000, std::vector<uint8_t>(64, 1)},
                {"QDSP6_CRASH", 0x8b900000, std::vector<uint8_t>(4096, 2)},
                {"QURT_LOG", 0x8ba00000, std::vector<uint8_t>(512, 3)}};
  return plan;
}

RegionSet SetOf(std::vector<uint8_t> bytes) {
  RegionSet set;
  Region file;
  file.kind = RegionKind::kArtifact;
  file.file_name = "devcd1.elf";
  file.bytes = std::make_shared<MemorySource>(std::move(bytes));
  set.regions.push_back(std::move(file));
  return set;
}

struct Result {
  Rebuilt rebuilt;
  CrashFacts facts;
};
Result Read(const RegionSet& set) {
  Result result{Rebuild(set, nullptr), {}};
  result.facts = Analyze(result.rebuilt.image, result.rebuilt.set).facts;
  return result;
}
Result Read(const CoprocessorPlan& plan) { return Read(SetOf(WriteCoprocessorDump(plan))); }

std::vector<DefectCode> Codes(const CrashFacts& facts) {
  std::vector<DefectCode> codes;
  for (const Defect& defect : facts.defects) codes.push_back(defect.code);
  return codes;
}

class ShapeTest : public testing::TestWithParam<std::tuple<bool, Endian, bool>> {};
INSTANTIATE_TEST_SUITE_P(Shapes, ShapeTest,
                         testing::Combine(testing::Bool(), testing::Values(Endian::kLittle, Endian::kBig),
                                          testing::Bool()));

TEST_P(ShapeTest, EveryStretchIsAtItsAddress) {
  CoprocessorPlan plan = Modem();
  std::tie(plan.is_64, plan.endian, plan.with_sections) = GetParam();
  const Result result = Read(plan);
  EXPECT_EQ(result.facts.source, "coprocessor");
  EXPECT_EQ(result.facts.state, CrashState::kComplete);
  EXPECT_THAT(result.facts.defects, IsEmpty());
  for (const CoprocessorPlan::Part& part : plan.parts) {
    std::vector<uint8_t> bytes(part.bytes.size());
    ASSERT_TRUE(result.rebuilt.image.ReadPhysical(part.address, absl::MakeSpan(bytes)).ok());
    EXPECT_EQ(bytes, part.bytes);
    if (!plan.with_sections) continue;
    EXPECT_TRUE(std::any_of(result.facts.regions.begin(), result.facts.regions.end(),
                            [&](const RegionFacts& region) {
                              return region.name == part.name && region.paddr == part.address &&
                                     region.sha256.size() == 64;
                            }))
        << part.name;
  }
}

TEST_P(ShapeTest, EveryPrefixIsReadAsFarAsItGoes) {
  CoprocessorPlan plan = Modem();
  plan.parts[1].bytes.resize(64);
  std::tie(plan.is_64, plan.endian, plan.with_sections) = GetParam();
  const std::vector<uint8_t> whole = WriteCoprocessorDump(plan);
  for (size_t n = 4; n < whole.size(); n += 7) {
    const Result result = Read(SetOf(std::vector<uint8_t>(whole.begin(), whole.begin() + n)));
    EXPECT_NE(result.facts.state, CrashState::kComplete) << n;
    EXPECT_THAT(result.facts.defects, testing::Not(IsEmpty())) << n;
    for (const CoprocessorPlan::Part& part : plan.parts) {
      for (size_t i = 0; i < part.bytes.size(); ++i) {
        uint8_t byte = 0;
        if (result.rebuilt.image.ReadPhysical(part.address + i, absl::MakeSpan(&byte, 1)).ok()) {
          ASSERT_EQ(byte, part.bytes[i]) << n;
        }
      }
    }
  }
}

TEST(CoprocessorTest, ItIsNeverTakenForLinux) {
  CoprocessorPlan plan = Modem();
  const std::string text = "Linux version 6.1.0 (x@y) #1\n";
  plan.parts[1].bytes.assign(text.begin(), text.end());
  const Result result = Read(plan);
  EXPECT_FALSE(result.facts.release);
  EXPECT_EQ(result.facts.log.method, "");
  EXPECT_THAT(Codes(result.facts), testing::Not(Contains(DefectCode::kLogMissing)));
  for (const Ability& ability : result.facts.abilities) EXPECT_NE(ability.answer, Ability::Answer::kYes);
}

TEST(CoprocessorTest, BesideALinuxSetItChangesNothingThere) {
  RegionSet set = SetOf(WriteCoprocessorDump(Modem()));
  Region linux;
  linux.file_name = "md_Kjiffies10.BIN";
  linux.name = "Kjiffies";
  linux.id = 10;
  linux.paddr = 0x8b800000;  // where the modem's first stretch is
  linux.bytes = std::make_shared<MemorySource>(std::vector<uint8_t>(8, 9));
  set.regions.push_back(linux);
  const Result result = Read(set);
  EXPECT_EQ(result.facts.source, "meminspect");
  uint8_t byte = 0;
  ASSERT_TRUE(result.rebuilt.image.ReadPhysical(0x8b800000, absl::MakeSpan(&byte, 1)).ok());
  EXPECT_EQ(byte, 9);
  EXPECT_FALSE(result.rebuilt.image.ReadPhysical(0x8b900000, absl::MakeSpan(&byte, 1)).ok());
}

TEST(CoprocessorTest, HeadersWithoutMemoryAreRefusedClearly) {
  for (bool sections : {false, true}) {
    CoprocessorPlan plan;
    plan.with_sections = sections;
    const Result result = Read(plan);
    EXPECT_THAT(Codes(result.facts), Contains(DefectCode::kUnsupported));
    EXPECT_EQ(result.facts.state, CrashState::kUnreadable);
  }
}

TEST(CoprocessorTest, HostileHeaders) {
  const std::vector<uint8_t> whole = WriteCoprocessorDump(Modem());
  for (size_t at = 16; at < 64 + 5 * 64; at += 2) {
    std::vector<uint8_t> bytes = whole;
    std::fill_n(bytes.begin() + at, 8, 0xff);
    Read(SetOf(bytes));
  }
}

}  // namespace
}  // namespace corefleet

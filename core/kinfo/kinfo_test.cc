#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "core/kinfo/kinfo_area.h"
#include "core/kinfo/kinfo_facts.h"
#include "core/kinfo/kinfo_layout.h"
#include "core/kinfo/kinfo_writer.h"

namespace corefleet {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::optional<Kinfo> Parse(const std::string& area) { return ParseKinfo(BytesOf(area)); }

TEST(ParseKinfo, TellsEveryLayoutFromTheOthers) {
  for (const KinfoLayout& layout : kKinfoLayouts) {
    const KinfoToWrite truth{.release = "6.6.30-android15-8-gabcdef", .build_info = "user/release-keys"};
    const std::string exact = WriteKinfo(layout.name, truth);
    ASSERT_EQ(exact.size(), layout.size + 8);
    std::string noise(4096, '\0');
    for (uint32_t i = 0, x = 1; i < noise.size(); ++i, x = x * 1664525 + 1013904223)
      noise[i] = static_cast<char>(x >> 24);
    for (const std::string& tail : {std::string(), std::string(1, '\0'), std::string(3584, '\0'), noise}) {
      const std::optional<Kinfo> kinfo = Parse(exact + tail);
      ASSERT_TRUE(kinfo) << layout.name;
      EXPECT_EQ(kinfo->layout, layout.name) << tail.size();
      EXPECT_TRUE(kinfo->checksum_ok);
      EXPECT_EQ(kinfo->release, truth.release);
      EXPECT_EQ(kinfo->build_info, layout.build_info == 0 ? "" : truth.build_info);
      EXPECT_EQ(kinfo->num_syms, truth.num_syms);
      EXPECT_EQ(kinfo->thread_size, truth.thread_size);
      EXPECT_EQ(kinfo->stext_pa, truth.stext);
      EXPECT_EQ(kinfo->etext_pa, truth.etext);
      EXPECT_EQ(kinfo->end_pa, truth.end);
      EXPECT_EQ(kinfo->swapper_pg_dir_pa, truth.swapper_pg_dir);
      EXPECT_EQ(kinfo->text_pa.has_value(), layout.text != 0);
      EXPECT_EQ(kinfo->text_pa.value_or(truth.text), truth.text);
    }
  }
}

TEST(ParseKinfo, TellsThemApartWithoutBuildInfoToo) {
  for (const KinfoLayout& layout : kKinfoLayouts) {
    const std::optional<Kinfo> kinfo = Parse(WriteKinfo(layout.name, {}) + std::string(600, '\0'));
    ASSERT_TRUE(kinfo);
    EXPECT_EQ(kinfo->layout, layout.name);
  }
}

TEST(ParseKinfo, AWrongChecksumLosesNothingElse) {
  for (const KinfoLayout& layout : kKinfoLayouts) {
    std::string area = WriteKinfo(layout.name, {.build_info = "info"});
    area[4] = static_cast<char>(area[4] ^ 1);
    const std::optional<Kinfo> kinfo = Parse(area);
    ASSERT_TRUE(kinfo);
    EXPECT_EQ(kinfo->layout, layout.name);
    EXPECT_FALSE(kinfo->checksum_ok);
    EXPECT_EQ(kinfo->release, "6.1.0");
  }
}

TEST(ParseKinfo, DropsAddressesThatCannotBe) {
  const std::optional<Kinfo> swapped = Parse(WriteKinfo("E", {.stext = 0x90000000, .etext = 0x80000000}));
  ASSERT_TRUE(swapped);
  EXPECT_EQ(swapped->stext_pa, std::nullopt);
  EXPECT_EQ(swapped->release, "6.1.0");
  const std::optional<Kinfo> odd =
      Parse(WriteKinfo("B", {.end = uint64_t{1} << 60, .swapper_pg_dir = 0x81f00001}));
  ASSERT_TRUE(odd);
  EXPECT_EQ(odd->end_pa, std::nullopt);
  EXPECT_EQ(odd->swapper_pg_dir_pa, std::nullopt);
  EXPECT_EQ(odd->stext_pa, 0x80210000u);
}

TEST(ParseKinfo, ReleaseThatIsGoneLeavesTheRest) {
  const std::optional<Kinfo> kinfo = Parse(WriteKinfo("E", {.release = "", .build_info = "x"}));
  ASSERT_TRUE(kinfo);
  EXPECT_EQ(kinfo->release, "");
  EXPECT_EQ(kinfo->num_syms, 120000u);
}

TEST(ParseKinfo, MakesNothingOfZeroesAndNoise) {
  std::string zeroes = WriteKinfo("E", {});
  std::fill(zeroes.begin() + 4, zeroes.end(), '\0');
  EXPECT_TRUE(LooksLikeKinfo(BytesOf(zeroes)));
  EXPECT_FALSE(Parse(zeroes));
  std::fill(zeroes.begin() + 4, zeroes.end(), '\xa5');
  EXPECT_FALSE(Parse(zeroes));
  EXPECT_FALSE(Parse(""));
  EXPECT_FALSE(LooksLikeKinfo(BytesOf("not a kinfo area at all, is it")));
}

TEST(ParseKinfo, SurvivesEveryCut) {
  for (const KinfoLayout& layout : kKinfoLayouts) {
    const std::string area = WriteKinfo(layout.name, {});
    for (size_t size = 0; size < area.size(); ++size) {
      const std::vector<uint8_t> cut(area.begin(), area.begin() + static_cast<std::ptrdiff_t>(size));
      // Until the smallest layout fits there is nothing; a longer one that is cut is never taken for sound.
      const std::optional<Kinfo> kinfo = ParseKinfo(cut);
      EXPECT_TRUE(!kinfo || size >= 216) << size;
      EXPECT_FALSE(kinfo && kinfo->checksum_ok && kinfo->layout == layout.name) << size;
    }
  }
}

TEST(UnpackKinfos, PutsTheRightOnesFirstAndReportsTheOthers) {
  std::string bad = WriteKinfo("E", {.release = "6.1.1"});
  bad[5] = static_cast<char>(bad[5] ^ 1);
  const auto artifact = [](const char* name, const std::string& bytes) {
    return Artifact{.file_name = name, .bytes = std::make_shared<MemorySource>(bytes)};
  };
  Pieces pieces;
  UnpackKinfos({artifact("a", bad), artifact("b", bad.substr(0, 100)), artifact("c", WriteKinfo("F", {}))},
               nullptr, &pieces);
  ASSERT_THAT(pieces.kinfos, SizeIs(2));
  EXPECT_EQ(pieces.kinfos[0].layout, "F");
  EXPECT_EQ(pieces.kinfos[1].release, "6.1.1");
  ASSERT_THAT(pieces.defects, SizeIs(2));
  EXPECT_EQ(pieces.defects[0].code, DefectCode::kKinfoDamaged);
  EXPECT_EQ(pieces.defects[0].region, "a");
  EXPECT_THAT(pieces.defects[0].detail, HasSubstr("layout E"));
  EXPECT_EQ(pieces.defects[1].region, "b");
}

TEST(CompareKinfo, GivesAReleaseOnlyWhenNothingBetterDid) {
  CrashFacts facts;
  CompareKinfo({{.layout = "E"}, {.layout = "F", .release = "6.1.0"}}, &facts);
  ASSERT_TRUE(facts.release);
  EXPECT_EQ(facts.release->value, "6.1.0");
  EXPECT_EQ(facts.release->from, Provenance::kKinfo);
  EXPECT_THAT(facts.defects, IsEmpty());
}

TEST(CompareKinfo, SaysThatTheReleasesDiffer) {
  CrashFacts facts;
  facts.release = Fact<std::string>{"6.1.0", Provenance::kVmcoreinfo};
  CompareKinfo({{.layout = "E", .release = "6.1.0"}, {.layout = "F", .release = "6.6.0"}}, &facts);
  EXPECT_EQ(facts.release->value, "6.1.0");
  ASSERT_THAT(facts.defects, SizeIs(1));
  EXPECT_EQ(facts.defects[0].code, DefectCode::kFactConflict);
  EXPECT_EQ(facts.defects[0].detail, "release: vmcoreinfo says \"6.1.0\", kinfo says \"6.6.0\"");
}

}  // namespace
}  // namespace corefleet

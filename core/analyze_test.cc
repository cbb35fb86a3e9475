#include "core/analyze.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/reassembly/reassemble.h"
#include "tests/support/corpus.h"

namespace corefleet {
namespace {

Analysis AnalyzeSet(const RegionSet& set) { return Analyze(Reassemble(set), set); }

bool Has(const CrashFacts& facts, DefectCode code) {
  return std::any_of(facts.defects.begin(), facts.defects.end(),
                     [&](const Defect& d) { return d.code == code; });
}

std::string Defects(const CrashFacts& facts) {
  return absl::StrJoin(facts.defects, "\n", [](std::string* out, const Defect& defect) {
    absl::StrAppend(out, DefectCodeName(defect.code), " [", defect.region, "] ", defect.detail);
  });
}

std::string Letters(const nlohmann::json& expected) {
  std::string letters;
  for (const nlohmann::json& letter : expected["taint"]["letters"]) letters += letter.get<std::string>();
  return letters;
}

template <typename T>
T Value(const MaybeFact<T>& fact) {
  EXPECT_TRUE(fact.has_value());
  return fact ? fact->value : T();
}

void ExpectIdentity(const nlohmann::json& expected, const CrashFacts& facts) {
  const nlohmann::json& kernel = expected["kernel"];
  EXPECT_EQ(Value(facts.release), kernel["release"].get<std::string>());
  EXPECT_EQ(Value(facts.version), kernel["version"].get<std::string>());
  EXPECT_EQ(absl::StrCat(Value(facts.banner), "\n"), kernel["banner"].get<std::string>());
  EXPECT_EQ(Value(facts.build_id), kernel["build_id"].get<std::string>());
  EXPECT_EQ(Value(facts.arch), kernel["machine"].get<std::string>());
  EXPECT_EQ(Value(facts.page_size), kernel["page_size"].get<uint64_t>());
  EXPECT_EQ(Value(facts.command_line), kernel["cmdline"].get<std::string>());
  EXPECT_EQ(absl::StrCat("0x", absl::Hex(Value(facts.kaslr_offset))),
            kernel["kaslr_offset"].get<std::string>());
}

void ExpectMachine(const nlohmann::json& expected, const CrashFacts& facts) {
  EXPECT_EQ(Value(facts.taint.mask), expected["taint"]["mask"].get<uint64_t>());
  EXPECT_EQ(facts.taint.letters, Letters(expected));
  EXPECT_NEAR(Value(facts.uptime_seconds), expected["uptime_s"].get<double>(), 1e-6);
  const nlohmann::json& cpus = expected["cpus"];
  EXPECT_EQ(Value(facts.cpus.possible), cpus["possible"].get<std::vector<uint32_t>>());
  EXPECT_EQ(Value(facts.cpus.present), cpus["present"].get<std::vector<uint32_t>>());
  EXPECT_EQ(Value(facts.cpus.online), cpus["online"].get<std::vector<uint32_t>>());
  EXPECT_EQ(Value(facts.cpus.active), cpus["active"].get<std::vector<uint32_t>>());
}

// True where the live ring's text is not in the image (meminspect v3 with an enlarged log buffer).
bool LosesText(const nlohmann::json& expected) {
  return expected["meminspect"]["layout"] == "v3" && expected["log"]["buffer"] == "enlarged";
}

void ExpectDeath(const nlohmann::json& expected, const CrashFacts& facts) {
  const nlohmann::json& panic = expected["crash"]["panic"];
  const bool said = !panic.is_null() && !LosesText(expected);
  EXPECT_EQ(facts.panic_reason.has_value(), said);
  if (said) {
    EXPECT_EQ(Value(facts.panic_reason), panic.get<std::string>());
  }
  EXPECT_EQ(facts.log.records, expected["log"]["records"].get<uint64_t>());
  EXPECT_EQ(facts.log.last_seq, expected["log"]["last_seq"].get<uint64_t>());
}

TEST(AnalyzeTest, EveryRealCrashGivesItsFacts) {
  for (const CorpusCase& crash : ReadCorpus()) {
    for (const WithTable table : {WithTable::kNo, WithTable::kYes}) {
      const nlohmann::json expected = nlohmann::json::parse(crash.file("expected.json"));
      const Analysis analysis = AnalyzeSet(RegionsOf(crash, table));
      const CrashFacts& facts = analysis.facts;
      SCOPED_TRACE(absl::StrCat(crash.name, "\n", Defects(facts)));
      ExpectIdentity(expected, facts);
      ExpectMachine(expected, facts);
      ExpectDeath(expected, facts);
      EXPECT_FALSE(Has(facts, DefectCode::kFactConflict));
      EXPECT_EQ(facts.state, LosesText(expected) ? CrashState::kPartial : CrashState::kComplete);
      EXPECT_EQ(Has(facts, DefectCode::kLogTextLost), LosesText(expected));
      EXPECT_EQ(Has(facts, DefectCode::kLogFromStatic), LosesText(expected));
      if (!LosesText(expected)) {
        EXPECT_EQ(RenderRaw(analysis.log), crash.file("dmesg.txt"));
      }
    }
  }
}

TEST(AnalyzeTest, KnowsTheTaintBeforeTheReport) {
  const std::map<std::string, std::optional<uint64_t>> before = {
      {"a47-null-oops", 12288},          {"a47-sysrq-nokaslr", 0},
      {"b53-div0-timer", 12288},         {"b53-oom", 0},
      {"c612-softlockup", 12288},        {"c612-biglog-numa", 12800},
      {"d53-bug-work-8cpu", 12288},      {"d53-null-nokaslr", 12288},
      {"f16k-silent-hang", std::nullopt}};
  for (const auto& [name, mask] : before) {
    SCOPED_TRACE(name);
    const MaybeFact<uint64_t> fact =
        AnalyzeSet(RegionsOf(ReadCorpusCase(name), WithTable::kNo)).facts.taint.before_mask;
    EXPECT_EQ(fact ? std::optional(fact->value) : std::nullopt, mask);
  }
}

TEST(AnalyzeTest, DigestsEveryRegionReceived) {
  const CorpusCase crash = ReadCorpusCase("a47-null-oops");
  const nlohmann::json truth = nlohmann::json::parse(crash.file("regions.json"));
  std::map<std::string, std::string> digests;
  for (const nlohmann::json& region : truth["regions"]) {
    if (region["file"].is_string())
      digests[region["file"].get<std::string>()] = region["sha256"].get<std::string>();
  }
  size_t checked = 0;
  for (const RegionFacts& region : AnalyzeSet(RegionsOf(crash, WithTable::kNo)).facts.regions) {
    if (!region.index) continue;
    EXPECT_EQ(region.sha256, digests[region.file_name]) << region.file_name;
    ++checked;
  }
  EXPECT_EQ(checked, digests.size());
}

// Facts survive the loss of any single region.
TEST(AnalyzeTest, NoSingleRegionTakesTheIdentityAway) {
  const CorpusCase crash = ReadCorpusCase("d53-bug-work-8cpu");
  const nlohmann::json expected = nlohmann::json::parse(crash.file("expected.json"));
  for (const auto& [file, bytes] : crash.files) {
    if (!absl::StartsWith(file, "md_")) continue;
    CorpusCase without = crash;
    without.files.erase(file);
    const Analysis analysis = AnalyzeSet(RegionsOf(without, WithTable::kNo));
    const CrashFacts& facts = analysis.facts;
    SCOPED_TRACE(absl::StrCat("without ", file, "\n", Defects(facts)));
    EXPECT_EQ(Value(facts.release), expected["kernel"]["release"].get<std::string>());
    EXPECT_EQ(Value(facts.version), expected["kernel"]["version"].get<std::string>());
    EXPECT_EQ(Value(facts.arch), "aarch64");
    EXPECT_TRUE(facts.taint.mask.has_value());
    EXPECT_TRUE(facts.uptime_seconds.has_value());
    EXPECT_EQ(facts.state, CrashState::kPartial);
    if (Has(facts, DefectCode::kLogTextLost)) continue;  // what only the text said is gone with it
    EXPECT_EQ(Value(facts.taint.before_mask), 12288u);
    EXPECT_EQ(Value(facts.panic_reason), "Oops - BUG: Fatal exception");
    EXPECT_EQ(analysis.log.records.size(), expected["log"]["records"].get<size_t>());
  }
}

TEST(AnalyzeTest, NothingIsUnreadable) {
  const RegionSet empty;
  const Analysis analysis = AnalyzeSet(empty);
  EXPECT_EQ(analysis.facts.state, CrashState::kUnreadable);
  EXPECT_TRUE(Has(analysis.facts, DefectCode::kLogMissing));
  EXPECT_EQ(analysis.facts.analyzer_version, kAnalyzerVersion);
}

}  // namespace
}  // namespace corefleet

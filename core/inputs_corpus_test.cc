#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/analyze.h"
#include "core/kdump/reader/child_dump_opener.h"
#include "core/rebuild.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/corpus.h"

namespace corefleet {
namespace {

using Json = nlohmann::json;

// log.txt is what the machine's console showed of the stretch: without debug messages, which it does not
// show.
std::string ConsoleOf(KernelLog log) {
  std::vector<LogRecord> shown;
  for (LogRecord& record : log.records) {
    if (record.level < 7) shown.push_back(std::move(record));
  }
  log.records = std::move(shown);
  return RenderRaw(log);
}

const DumpOpener* Opener() {
  static const auto* const opener = new ChildDumpOpener(
      {.scratch_folder = testing::TempDir(),
       .program = (std::filesystem::current_path() / "core/kdump/reader/reader_program").string(),
       .min_free_bytes = 0});
  return opener;
}

std::vector<std::string> LossesOf(const CrashFacts& facts) {
  std::vector<std::string> codes;
  for (const Defect& defect : facts.defects) {
    if (IsLoss(defect.code)) codes.push_back(std::string(DefectCodeName(defect.code)));
  }
  return codes;
}

TEST(InputsCorpusTest, EveryInputGivesWhatTheMachineSaid) {
  for (const CorpusCase& crash : ReadInputCorpus()) {
    SCOPED_TRACE(crash.name);
    const Json expected = Json::parse(crash.file("expected.json"));
    const Rebuilt rebuilt = Rebuild(InputsOf(crash), Opener());
    Analysis analysis = Analyze(rebuilt.image, rebuilt.set);
    const CrashFacts& facts = analysis.facts;
    EXPECT_EQ(facts.source, expected["source"].get<std::string>());
    EXPECT_EQ(CrashStateName(facts.state), expected["state"].get<std::string>());
    EXPECT_EQ(facts.release ? facts.release->value : "", expected["release"].get<std::string>());
    EXPECT_THAT(LossesOf(facts), testing::IsSupersetOf(expected["defects"].get<std::vector<std::string>>()));
    if (expected["defects"].empty()) {
      EXPECT_THAT(LossesOf(facts), testing::IsEmpty());
    }
    EXPECT_EQ(ConsoleOf(std::move(analysis.log)), crash.file("log.txt"));
  }
}

TEST(InputsCorpusTest, AnyFileLostLeavesTheOthersLines) {
  for (const CorpusCase& crash : ReadInputCorpus()) {
    RegionSet all = InputsOf(crash);
    for (size_t lost = 0; all.regions.size() > 1 && lost < all.regions.size(); ++lost) {
      SCOPED_TRACE(absl::StrCat(crash.name, " without ", all.regions[lost].file_name));
      RegionSet left = all;
      left.regions.erase(left.regions.begin() + static_cast<ptrdiff_t>(lost));
      const Rebuilt rebuilt = Rebuild(left, Opener());
      const std::string log = ConsoleOf(Analyze(rebuilt.image, rebuilt.set).log);
      EXPECT_FALSE(log.empty());
      for (const absl::string_view line : absl::StrSplit(log, '\n')) {
        if (absl::StartsWith(line, "<")) continue;  // says that something is missing
        EXPECT_TRUE(absl::StrContains(crash.file("log.txt"), line)) << line;
      }
    }
  }
}

}  // namespace
}  // namespace corefleet

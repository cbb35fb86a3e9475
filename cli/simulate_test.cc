#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "cli/command_line.h"
#include "cli/verb.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace corefleet {
namespace {

namespace fs = std::filesystem;

class SimulateVerbTest : public testing::Test {
 protected:
  SimulateVerbTest() : folder_(fs::path(testing::TempDir()) / "simulate_verb_test") {
    fs::remove_all(folder_);
  }
  ~SimulateVerbTest() override { fs::remove_all(folder_); }

  int Run(std::vector<std::string> words) {
    words.insert(words.begin(), "simulate");
    out_.str("");
    err_.str("");
    return RunCommandLine(words, {SimulateVerb()}, {.out = &out_, .err = &err_});
  }
  int RunInto(std::vector<std::string> words) {
    words.insert(words.end(), {"-o", folder_.string(), "--log-size", "8k"});
    return Run(words);
  }

  fs::path folder_;
  std::ostringstream out_, err_;
};

TEST_F(SimulateVerbTest, WritesWhatItSays) {
  ASSERT_EQ(RunInto({"--seed", "3", "--count", "2", "--json", "--truth", "--arch", "x86_64"}), kDone)
      << err_.str();
  std::istringstream lines(out_.str());
  std::string line;
  int crashes = 0;
  while (std::getline(lines, line)) {
    const nlohmann::json said = nlohmann::json::parse(line);
    EXPECT_EQ(said["seed"], std::to_string(3 + crashes));
    EXPECT_EQ(said["release"], "6.12.0");
    const fs::path path(said["path"].get<std::string>());
    EXPECT_TRUE(fs::exists(path / "md_KELF1.BIN"));
    std::ifstream truth(path.string() + ".truth.json");
    EXPECT_EQ(nlohmann::json::parse(truth)["kernel"]["arch"], "x86_64");
    ++crashes;
  }
  EXPECT_EQ(crashes, 2);
}

TEST_F(SimulateVerbTest, LeavesAFolderThatIsNotEmptyAlone) {
  ASSERT_EQ(RunInto({}), kDone);
  EXPECT_EQ(RunInto({}), kNotFoundOrRefused);
  EXPECT_TRUE(absl::StrContains(err_.str(), "not empty")) << err_.str();
}

TEST_F(SimulateVerbTest, NamesTheWordThatItDoesNotKnow) {
  const std::pair<const char*, const char*> wrong[] = {{"--source", "tape"},   {"--crash", "boredom"},
                                                       {"--damage", "rust"},   {"--arch", "z80"},
                                                       {"--kernel", "latest"}, {"--log-buf-len", "3k"}};
  for (const auto& [option, word] : wrong) {
    EXPECT_EQ(RunInto({option, word}), kUsage) << option;
    EXPECT_TRUE(absl::StrContains(err_.str(), word)) << err_.str();
  }
  EXPECT_EQ(Run({}), kUsage);
}

TEST_F(SimulateVerbTest, ListsEveryWord) {
  ASSERT_EQ(Run({"--list"}), kDone);
  for (const char* word : {"meminspect-v3", "rawdump", "soft-lockup", "missing[=NAME]", "bit-flips=N"})
    EXPECT_TRUE(absl::StrContains(out_.str(), word)) << word;
}

}  // namespace
}  // namespace corefleet

#include "server/admission/rules_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <vector>

namespace corefleet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A file whose text is the name of its one rule, and which is broken if it says so.
absl::StatusOr<AdmissionRules> OneRule(absl::string_view text) {
  if (text == "broken") return absl::InvalidArgumentError("1: what is that?");
  AdmissionRules rules;
  rules.rules.push_back({.name = std::string(text)});
  return rules;
}

class RulesFileTest : public testing::Test {
 protected:
  void Write(const std::string& text) {
    const std::string fresh = path_ + ".new";
    std::ofstream(fresh, std::ios::binary) << text;
    ASSERT_EQ(std::rename(fresh.c_str(), path_.c_str()), 0);
  }
  absl::StatusOr<std::unique_ptr<RulesFile>> Watch(absl::Duration interval) {
    return RulesFile::Watch(
        path_, OneRule,
        [this](const AdmissionRules& rules) {
          absl::MutexLock lock(&mutex_);
          seen_.push_back(rules.rules.at(0).name);
        },
        interval);
  }
  std::vector<std::string> seen() {
    absl::MutexLock lock(&mutex_);
    return seen_;
  }
  bool AwaitSeen(const std::string& name) {
    absl::MutexLock lock(&mutex_);
    const auto is = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return seen_.back() == name; };
    return mutex_.AwaitWithTimeout(absl::Condition(&is), absl::Seconds(30));
  }

  const std::string path_ = testing::TempDir() + "/rules";
  absl::Mutex mutex_;
  std::vector<std::string> seen_ ABSL_GUARDED_BY(mutex_);
};

TEST_F(RulesFileTest, AFileThatCannotBeUnderstoodIsSaidAtOnce) {
  EXPECT_TRUE(
      absl::IsUnavailable(RulesFile::Watch("/no/such/file", OneRule, [](AdmissionRules) {}).status()));
  Write("broken");
  const auto file = Watch(absl::Hours(1));
  EXPECT_TRUE(absl::IsInvalidArgument(file.status()));
  EXPECT_THAT(std::string(file.status().message()), HasSubstr(path_ + ":1: what is that?"));
  Write(std::string(kMaxRulesFileBytes + 1, 'x'));
  EXPECT_TRUE(absl::IsUnavailable(Watch(absl::Hours(1)).status()));
}

TEST_F(RulesFileTest, TakesUpWhatChangedByItself) {
  Write("first");
  auto file = Watch(absl::Milliseconds(1));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(seen(), ElementsAre("first"));
  Write("second");
  EXPECT_TRUE(AwaitSeen("second"));
}

TEST_F(RulesFileTest, ABrokenFileKeepsTheLastGoodRules) {
  Write("good");
  auto file = Watch(absl::Hours(1));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE((*file)->good());
  Write("broken");
  (*file)->Reload();
  EXPECT_FALSE((*file)->good());
  std::remove(path_.c_str());
  (*file)->Reload();
  EXPECT_FALSE((*file)->good());
  EXPECT_THAT(seen(), ElementsAre("good"));
  EXPECT_EQ((*file)->loads(), 1u);
  Write("better");
  (*file)->Reload();
  EXPECT_TRUE((*file)->good());
  EXPECT_THAT(seen(), ElementsAre("good", "better"));
  EXPECT_EQ((*file)->loads(), 2u);
}

}  // namespace
}  // namespace corefleet

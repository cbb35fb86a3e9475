#include "server/admission/rules.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "server/admission/glob.h"

namespace corefleet {
namespace {

TEST(GlobTest, StarsAndQuestionMarks) {
  EXPECT_TRUE(GlobFits("*", ""));
  EXPECT_TRUE(GlobFits("lab-*", "lab-7"));
  EXPECT_TRUE(GlobFits("lab-*", "lab-"));
  EXPECT_FALSE(GlobFits("lab-*", "xlab-7"));
  EXPECT_TRUE(GlobFits("5.1?.*-android", "5.10.3-android"));
  EXPECT_FALSE(GlobFits("5.1?.*-android", "5.1.3-android"));
  EXPECT_FALSE(GlobFits("5.1?.*-android", "5.10.3-android-x"));
  EXPECT_TRUE(GlobFits("a*b*c", "a-b-b-c"));
  EXPECT_FALSE(GlobFits("a*b*c", "a-b-b"));
  EXPECT_TRUE(GlobFits("exact", "exact"));
  EXPECT_FALSE(GlobFits("exact", "exactly"));
  EXPECT_FALSE(GlobFits("", "x"));
  EXPECT_TRUE(GlobFits("[a].+", "[a].+")) << "nothing else is special";
}

TEST(GlobTest, IsBoundedOnWhatBacktracks) {
  EXPECT_FALSE(GlobFits("*a*a*a*a*a*a*a*b", std::string(256, 'a')));
}

TEST(RulesTest, EveryFieldMustFit) {
  const CrashHints hints{.build_id = "abcdef01",
                         .kernel_release = "6.1.57-android14",
                         .panic = "Unable to handle kernel NULL pointer dereference",
                         .os_version = "14-QPR2",
                         .source = "pstore"};
  const OfferedCrash crash{.device = "pixel-7", .hints = &hints, .bytes = 1000};
  EXPECT_TRUE(Fits({}, crash));
  const RuleMatch all{.device = {"x", "pixel-*"},
                      .build_id = {"abcd"},
                      .kernel_release = {"6.1.*"},
                      .panic = {"NULL pointer"},
                      .os_version = {"14*"},
                      .source = {"pstore", "ramoops"},
                      .min_bytes = 1000,
                      .max_bytes = 1000};
  EXPECT_TRUE(Fits(all, crash));
  const auto without = [&](const std::function<void(RuleMatch*)>& change) {
    RuleMatch match = all;
    change(&match);
    return Fits(match, crash);
  };
  EXPECT_FALSE(without([](RuleMatch* m) { m->device = {"lab-*"}; }));
  EXPECT_FALSE(without([](RuleMatch* m) { m->build_id = {"bcd"}; }));
  EXPECT_FALSE(without([](RuleMatch* m) { m->kernel_release = {"6.1"}; }));
  EXPECT_FALSE(without([](RuleMatch* m) { m->panic = {"null pointer"}; }));
  EXPECT_FALSE(without([](RuleMatch* m) { m->os_version = {"13*"}; }));
  EXPECT_FALSE(without([](RuleMatch* m) { m->source = {"vmcore"}; }));
  EXPECT_FALSE(without([](RuleMatch* m) { m->min_bytes = 1001; }));
  EXPECT_FALSE(without([](RuleMatch* m) { m->max_bytes = 999; }));
}

TEST(RulesTest, ValidateSaysWhatIsWrong) {
  EXPECT_TRUE(Validate({.name = "a-rule_1.x"}).ok());
  const auto wrong = [](const AdmissionRule& rule) { return absl::IsInvalidArgument(Validate(rule)); };
  EXPECT_TRUE(wrong({}));
  EXPECT_TRUE(wrong({.name = "two words"}));
  EXPECT_TRUE(wrong({.name = std::string(65, 'x')}));
  EXPECT_TRUE(wrong({.name = "r", .one_in = 0}));
  EXPECT_TRUE(wrong({.name = "r", .full_per_day = 2'000'000}));
  EXPECT_TRUE(wrong({.name = "r", .match = {.device = {""}}}));
  EXPECT_TRUE(wrong({.name = "r", .match = {.panic = {std::string(257, 'x')}}}));
  EXPECT_TRUE(wrong({.name = "r", .match = {.build_id = {"ABC"}}}));
  EXPECT_TRUE(wrong({.name = "r", .match = {.min_bytes = 2, .max_bytes = 1}}));
  EXPECT_TRUE(wrong({.name = "r", .ask_again = absl::ZeroDuration()}));
  EXPECT_TRUE(wrong({.name = "r", .retry_after = absl::Hours(24 * 8)}));
  EXPECT_TRUE(wrong({.name = "r", .message = std::string(257, 'x')}));
}

TEST(RulesTest, DescribesItselfInOneLine) {
  EXPECT_EQ(Describe({.name = "all"}), "all: everything -> accept");
  EXPECT_EQ(Describe({.name = "known",
                      .match = {.build_id = {"ab"}, .panic = {"x", "y"}},
                      .action = RuleAction::kQuota,
                      .full_per_day = 5,
                      .ask_again = absl::Hours(1)}),
            "known: build_id ab and panic x or y -> 5 a day of each build and panic, then log only, ask "
            "again after 1h");
}

}  // namespace
}  // namespace corefleet

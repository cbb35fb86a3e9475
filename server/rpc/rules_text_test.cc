#include "server/rpc/rules_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace corefleet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kEverything[] = R"(
# Nothing comes in while we move house.
kill_switch: true
kill_switch_delay_seconds: 1200
kill_switch_message: "moving house"

rule { name: "lab" match { device: "lab-*" device: "rack-?" } accept {} }
rule {
  name: "old"
  match { kernel_release: "5.10.*" os_version: "12*" source: "pstore" min_bytes: 10 max_bytes: 20 }
  sample { one_in: 50 }
}
rule { name: "known" match { build_id: "0abc" panic: "hung task" } log_only { refuse_whole: true ask_again_seconds: 60 } }
rule { name: "never" match { device: "x" } refuse { message: "no" } }
rule { name: "later" match { device: "y" } refuse { retry_after_seconds: 3600 } }
rule { name: "some" quota { full_per_day: 5 then_refuse { retry_after_seconds: 7 } } }
)";

TEST(ParseRulesTest, UnderstandsEveryField) {
  const auto rules = ParseRules(kEverything);
  ASSERT_TRUE(rules.ok()) << rules.status();
  EXPECT_TRUE(rules->kill_switch.on);
  EXPECT_EQ(rules->kill_switch.delay, absl::Minutes(20));
  EXPECT_EQ(rules->kill_switch.message, "moving house");
  ASSERT_EQ(rules->rules.size(), 6u);
  EXPECT_THAT(rules->rules[0].match.device, ElementsAre("lab-*", "rack-?"));
  EXPECT_EQ(rules->rules[0].action, RuleAction::kAccept);
  const AdmissionRule& old = rules->rules[1];
  EXPECT_THAT(old.match.kernel_release, ElementsAre("5.10.*"));
  EXPECT_THAT(old.match.os_version, ElementsAre("12*"));
  EXPECT_THAT(old.match.source, ElementsAre("pstore"));
  EXPECT_EQ(old.match.min_bytes, 10u);
  EXPECT_EQ(old.match.max_bytes, 20u);
  EXPECT_EQ(old.action, RuleAction::kSample);
  EXPECT_EQ(old.one_in, 50u);
  const AdmissionRule& known = rules->rules[2];
  EXPECT_THAT(known.match.build_id, ElementsAre("0abc"));
  EXPECT_THAT(known.match.panic, ElementsAre("hung task"));
  EXPECT_EQ(known.action, RuleAction::kLogOnly);
  EXPECT_TRUE(known.refuse_whole);
  EXPECT_EQ(known.ask_again, absl::Seconds(60));
  EXPECT_EQ(rules->rules[3].action, RuleAction::kRefuse);
  EXPECT_EQ(rules->rules[3].message, "no");
  EXPECT_EQ(rules->rules[3].retry_after, std::nullopt);
  EXPECT_EQ(rules->rules[4].retry_after, absl::Hours(1));
  const AdmissionRule& some = rules->rules[5];
  EXPECT_EQ(some.action, RuleAction::kQuota);
  EXPECT_EQ(some.full_per_day, 5u);
  EXPECT_TRUE(some.then_refuse);
  EXPECT_EQ(some.retry_after, absl::Seconds(7));
}

TEST(ParseRulesTest, NothingIsNoRules) {
  const auto rules = ParseRules("# only a comment\n");
  ASSERT_TRUE(rules.ok()) << rules.status();
  EXPECT_FALSE(rules->kill_switch.on);
  EXPECT_TRUE(rules->rules.empty());
  EXPECT_EQ(DescribeRules(*rules), "kill switch: off\nevery other crash -> accept\n");
}

std::string ErrorOf(absl::string_view text) { return std::string(ParseRules(text).status().message()); }

TEST(ParseRulesTest, SaysTheLineOfWhatIsWrong) {
  EXPECT_THAT(ErrorOf("kill_switch: true\nrulez {}"), StartsWith("2:"));
  EXPECT_THAT(ErrorOf("\n\nkill_switch: maybe"), StartsWith("3:"));
  EXPECT_THAT(ErrorOf("rule { name: \"a\" accept {} }\n\nrule {\n name: \"b\"\n}\n"),
              AllOf(StartsWith("3: rule \"b\""), HasSubstr("no action")));
  EXPECT_THAT(ErrorOf("rule { name: \"a\" accept {} }\nrule { name: \"a\" accept {} }"),
              AllOf(StartsWith("2: rule \"a\""), HasSubstr("same name")));
  EXPECT_THAT(ErrorOf("\nrule { name: \"a\" sample {} }"), AllOf(StartsWith("2:"), HasSubstr("one_in")));
  EXPECT_THAT(ErrorOf("rule { accept {} }"), HasSubstr("no name"));
  EXPECT_THAT(ErrorOf("rule { name: \"a\" accept {} refuse {} }"), StartsWith("1:")) << "two actions";
  EXPECT_THAT(ErrorOf("kill_switch_delay_seconds: 99999999"), HasSubstr("week"));
  EXPECT_THAT(ErrorOf("\xff\xfe"), StartsWith("1:"));
}

TEST(ParseRulesTest, HasNoMoreRulesThanItMay) {
  std::string text;
  for (int i = 0; i < 1001; ++i) text += "rule { name: \"r" + std::to_string(i) + "\" accept {} }\n";
  EXPECT_THAT(ErrorOf(text), HasSubstr("more than 1000"));
}

TEST(ParseRulesTest, SaysWhatItUnderstood) {
  const std::string text = DescribeRules(*ParseRules(kEverything));
  EXPECT_THAT(text, StartsWith("kill switch: ON, devices stay away for 20m (\"moving house\")\n"
                               "1. lab: device lab-* or rack-? -> accept\n"));
  EXPECT_THAT(text,
              HasSubstr("6. some: everything -> 5 a day of each build and panic, then refuse for 7s\n"));
}

}  // namespace
}  // namespace corefleet

#include "server/admission/refusal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "absl/strings/str_cat.h"

namespace corefleet {
namespace {

using ::testing::HasSubstr;

TEST(RefusalTest, SurvivesTheWayThroughAStatus) {
  for (const RefusalReason reason : AllRefusalReasons()) {
    const absl::Status status = RefusedStatus({.reason = reason,
                                               .message = "not now",
                                               .rule = "a rule",
                                               .limit = "some_flag",
                                               .delay = absl::Milliseconds(1500)});
    EXPECT_TRUE(absl::IsResourceExhausted(status));
    EXPECT_EQ(status.message(), "not now");
    const auto refused = RefusedBy(status);
    ASSERT_TRUE(refused.has_value());
    EXPECT_EQ(refused->reason, reason);
    EXPECT_EQ(refused->rule, "a rule");
    EXPECT_EQ(refused->limit, "some_flag");
    EXPECT_EQ(refused->delay, absl::Milliseconds(1500));
  }
}

TEST(RefusalTest, ForGoodHasNoDelay) {
  const absl::Status by_rule = RefusedStatus({.reason = RefusalReason::kRule});
  EXPECT_TRUE(absl::IsPermissionDenied(by_rule));
  EXPECT_EQ(RefusedBy(by_rule)->delay, std::nullopt);
  EXPECT_TRUE(absl::IsInvalidArgument(RefusedStatus({.reason = RefusalReason::kMalformed})));
  EXPECT_TRUE(absl::IsInvalidArgument(RefusedStatus({.reason = RefusalReason::kCrashTooLarge})));
}

TEST(RefusalTest, OtherErrorsRefuseNothing) {
  EXPECT_EQ(RefusedBy(absl::OkStatus()), std::nullopt);
  EXPECT_EQ(RefusedBy(absl::ResourceExhaustedError("disk full")), std::nullopt);
  absl::Status broken = absl::ResourceExhaustedError("x");
  broken.SetPayload("corefleet.local/Refused", absl::Cord("NO_SUCH_REASON\n1\n\n"));
  EXPECT_EQ(RefusedBy(broken), std::nullopt);
}

TEST(RefusalTest, EveryReasonIsDocumented) {
  std::ifstream file("docs/admission.md");
  std::stringstream text;
  text << file.rdbuf();
  std::set<std::string> names;
  for (const RefusalReason reason : AllRefusalReasons()) {
    const std::string name(RefusalReasonName(reason));
    EXPECT_TRUE(names.insert(name).second) << name << " twice";
    EXPECT_THAT(text.str(), HasSubstr(absl::StrCat("| `", name, "` |")));
  }
}

}  // namespace
}  // namespace corefleet

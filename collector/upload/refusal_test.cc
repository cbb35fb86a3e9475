#include "collector/upload/refusal.h"

#include "gtest/gtest.h"

namespace corefleet {
namespace {

TEST(Refusal, TravelsWithItsStatus) {
  const Refusal refusal{.reason = "FLEET_RATE", .rule = "night shift: slow", .wait = absl::Seconds(90)};
  const absl::Status status = WithRefusal(absl::ResourceExhaustedError("later"), refusal);
  EXPECT_EQ(RefusalOf(status), refusal);
  EXPECT_EQ(status.message(), "later");
  EXPECT_EQ(RefusalOf(absl::ResourceExhaustedError("later")), Refusal());
}

TEST(Refusal, AHostileServersWordsAreCut) {
  const absl::Status status = WithRefusal(
      absl::UnavailableError("x"),
      {.reason = "x\n\x1b[2J", .rule = std::string(100000, '\x01'), .wait = absl::InfiniteDuration()});
  const Refusal refusal = RefusalOf(status);
  EXPECT_EQ(refusal.reason, "OTHER");
  EXPECT_EQ(refusal.rule.size(), 128u);
  EXPECT_EQ(refusal.rule.find('\x01'), std::string::npos);
  EXPECT_EQ(refusal.wait, kMaxServerDelay);
  EXPECT_EQ(RefusalOf(WithRefusal(absl::UnavailableError("x"), {.wait = -absl::InfiniteDuration()})).wait,
            absl::ZeroDuration());
}

TEST(Refusal, ARulesWaitIsTheCrashsAndNotTheDevices) {
  EXPECT_TRUE(IsAboutOneCrash({.reason = "QUOTA"}));
  EXPECT_TRUE(IsAboutOneCrash({.reason = "OTHER", .rule = "night"}));
  EXPECT_FALSE(IsAboutOneCrash({.reason = "FLEET_RATE"}));
  EXPECT_FALSE(IsAboutOneCrash({}));
}

TEST(Refusal, OnlyAReasonMakesItFinal) {
  EXPECT_TRUE(IsFinal(WithRefusal(absl::PermissionDeniedError("no"), {.reason = "SAMPLED_OUT"})));
  EXPECT_TRUE(IsFinal(WithRefusal(absl::InvalidArgumentError("no"), {.reason = "MALFORMED"})));
  EXPECT_FALSE(IsFinal(WithRefusal(absl::PermissionDeniedError("no"), {.reason = "WRONG_DEVICE"})));
  EXPECT_FALSE(IsFinal(absl::PermissionDeniedError("the certificate expired")));
  EXPECT_FALSE(IsFinal(absl::InvalidArgumentError("a proxy's")));
  EXPECT_FALSE(IsFinal(WithRefusal(absl::ResourceExhaustedError("later"), {.reason = "FLEET_RATE"})));
  EXPECT_FALSE(IsFinal(WithRefusal(absl::UnauthenticatedError("who?"), {.reason = "WHO"})));
}

struct Pushback {
  const char* text;
  absl::Duration wait;
  bool next_boot;
};

TEST(ApplyPushback, TakesWhateverTravels) {
  for (const Pushback& c :
       {Pushback{"0", absl::ZeroDuration(), false}, Pushback{"1500", absl::Milliseconds(1500), false},
        Pushback{"-1", absl::ZeroDuration(), true}, Pushback{"soon", absl::ZeroDuration(), true},
        Pushback{"", absl::ZeroDuration(), true}, Pushback{"99999999999999", kMaxServerDelay, false},
        Pushback{"9999999999999999999999999", kMaxServerDelay, false}}) {
    Refusal refusal;
    ApplyPushback(c.text, &refusal);
    EXPECT_EQ(refusal.wait, c.wait) << c.text;
    EXPECT_EQ(refusal.not_before_next_boot, c.next_boot) << c.text;
  }
}

TEST(ApplyPushback, NeverShortensAWait) {
  Refusal refusal{.wait = absl::Minutes(3)};
  ApplyPushback("5", &refusal);
  EXPECT_EQ(refusal.wait, absl::Minutes(3));
}

}  // namespace
}  // namespace corefleet

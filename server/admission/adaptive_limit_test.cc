#include "server/admission/adaptive_limit.h"

#include <gtest/gtest.h>

namespace corefleet {
namespace {

constexpr AdaptiveLimit::Options kOptions = {
    .least = 100, .first = 1000, .most = 5000, .long_wait = absl::Milliseconds(300)};

class AdaptiveLimitTest : public testing::Test {
 protected:
  // A second in which every part took its third of `delay`, and so much was done.
  void Second(absl::Duration delay, uint64_t finished, bool kept_out) {
    limit_.limit(now_);
    now_ += absl::Milliseconds(500);
    for (const ServerPart part : {ServerPart::kWorker, ServerPart::kIndex, ServerPart::kStore}) {
      limit_.Took(part, delay / 6, now_);
      limit_.Took(part, delay / 2, now_);
    }
    limit_.Finished(finished, now_);
    if (kept_out) limit_.KeptOut(now_);
    now_ += absl::Milliseconds(500);
    limit_.limit(now_);
  }

  AdaptiveLimit limit_{kOptions};
  absl::Time now_ = absl::FromUnixSeconds(1'800'000'000);
};

TEST_F(AdaptiveLimitTest, RisesOnlyWhileItKeepsSomebodyOut) {
  Second(absl::Milliseconds(30), 500, /*kept_out=*/false);
  EXPECT_EQ(limit_.limit(now_), 1000u);
  Second(absl::Milliseconds(30), 500, /*kept_out=*/true);
  EXPECT_EQ(limit_.limit(now_), 1200u);
  for (int i = 0; i < 20; ++i) Second(absl::Milliseconds(30), 500, /*kept_out=*/true);
  EXPECT_EQ(limit_.limit(now_), 5000u);
  EXPECT_TRUE(limit_.at_most());
}

TEST_F(AdaptiveLimitTest, FallsWhenTheServersPartsTakeLong) {
  // 15 ms of it are what they take at their best.
  Second(absl::Milliseconds(390), 500, /*kept_out=*/false);
  EXPECT_NEAR(limit_.limit(now_), 800, 1);
  EXPECT_NEAR(absl::ToDoubleMilliseconds(limit_.delay()), 390, 1);
  Second(absl::Seconds(30), 500, /*kept_out=*/true);
  EXPECT_NEAR(limit_.limit(now_), 560, 1) << "by a third at once, and no more";
  for (int i = 0; i < 20; ++i) Second(absl::Seconds(30), 500, /*kept_out=*/true);
  EXPECT_EQ(limit_.limit(now_), 100u);
}

TEST_F(AdaptiveLimitTest, OnlyWaitingCountsOnASlowDisk) {
  // Each part takes 200 ms when nothing waits for it, as the limit learns when it is as low as it may be.
  for (int i = 0; i < 60; ++i) Second(absl::Milliseconds(600), 500, /*kept_out=*/true);
  EXPECT_GT(limit_.limit(now_), 1000u);
  // A moment in which it was quick is remembered, until it has been as low as that again.
  Second(absl::Milliseconds(150), 500, /*kept_out=*/true);
  const uint64_t before = limit_.limit(now_);
  Second(absl::Milliseconds(600), 500, /*kept_out=*/true);
  EXPECT_LT(limit_.limit(now_), before);
}

TEST_F(AdaptiveLimitTest, WhoStartsIntoAnOverloadDoesNotTakeItForTheRule) {
  for (int i = 0; i < 3; ++i) Second(absl::Milliseconds(900), 500, /*kept_out=*/true);
  EXPECT_LT(limit_.limit(now_), 500u);
}

TEST_F(AdaptiveLimitTest, BetweenTheMarksItStays) {
  for (int i = 0; i < 10; ++i) Second(absl::Milliseconds(200), 500, /*kept_out=*/true);
  EXPECT_EQ(limit_.limit(now_), 1000u);
}

TEST_F(AdaptiveLimitTest, ASecondThatNobodyWasKeptOutOfNeverLowersTheSpeed) {
  EXPECT_EQ(limit_.speed(now_), 1000);
  Second(absl::Milliseconds(30), 10, /*kept_out=*/false);
  EXPECT_EQ(limit_.speed(now_), 1000);
  Second(absl::Milliseconds(30), 2000, /*kept_out=*/false);
  EXPECT_GT(limit_.speed(now_), 1250);
  for (int i = 0; i < 20; ++i) Second(absl::Milliseconds(200), 500, /*kept_out=*/true);
  EXPECT_NEAR(limit_.speed(now_), 500, 5);
  for (int i = 0; i < 50; ++i) Second(absl::Milliseconds(200), 0, /*kept_out=*/true);
  EXPECT_EQ(limit_.speed(now_), 1) << "something that can be divided by";
}

TEST_F(AdaptiveLimitTest, BindsUntilASecondAfterTheLastWhoWasKeptOut) {
  EXPECT_FALSE(limit_.binding(now_));
  limit_.KeptOut(now_);
  EXPECT_TRUE(limit_.binding(now_));
  now_ += absl::Milliseconds(1500);
  EXPECT_TRUE(limit_.binding(now_));
  now_ += absl::Milliseconds(1000);
  EXPECT_FALSE(limit_.binding(now_));
}

TEST_F(AdaptiveLimitTest, WhatWasMeasuredAcrossAPauseSaysNothing) {
  limit_.KeptOut(now_);
  limit_.Took(ServerPart::kStore, absl::Seconds(20), now_);
  now_ += absl::Minutes(1);
  EXPECT_EQ(limit_.limit(now_), 1000u);
  EXPECT_EQ(limit_.speed(now_), 1000);
  EXPECT_FALSE(limit_.binding(now_));
  now_ -= absl::Hours(1);
  EXPECT_EQ(limit_.limit(now_), 1000u) << "a clock that was set back";
  Second(absl::Milliseconds(30), 500, /*kept_out=*/true);
  EXPECT_EQ(limit_.limit(now_), 1200u);
}

TEST_F(AdaptiveLimitTest, TheOperatorsLimitIsTheLastWord) {
  AdaptiveLimit small({.least = 100, .first = 1000, .most = 50});
  EXPECT_EQ(small.limit(now_), 50u);
  EXPECT_TRUE(small.at_most());
}

}  // namespace
}  // namespace corefleet

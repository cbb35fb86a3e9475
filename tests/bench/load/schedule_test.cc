#include "tests/bench/load/schedule.h"

#include <gtest/gtest.h>

namespace corefleet {
namespace {

TEST(Schedule, GivesEachCrashOnceAsFastAsItIsAsked) {
  FakeClock clock(absl::FromUnixSeconds(1000));
  Schedule schedule({.first = 7, .crashes = 2}, &clock);
  EXPECT_EQ(schedule.Next()->number, 7u);
  EXPECT_EQ(schedule.Next()->number, 8u);
  schedule.Done();
  schedule.Done();
  EXPECT_FALSE(schedule.Next().has_value());
  EXPECT_EQ(schedule.offered(), 2u);
}

TEST(Schedule, AtARateACrashIsOfferedWhenItHappenedAndNotWhenADeviceWasFree) {
  FakeClock clock(absl::FromUnixSeconds(1000));
  Schedule schedule({.per_second = 10}, &clock);
  clock.Advance(absl::Seconds(1));
  EXPECT_EQ(schedule.Next()->offered, absl::FromUnixSeconds(1000));
  EXPECT_EQ(schedule.Next()->offered, absl::FromUnixSeconds(1000) + absl::Milliseconds(100));
}

TEST(Schedule, WhatWasRefusedComesBackFirstAndNotBeforeItsTime) {
  FakeClock clock(absl::FromUnixSeconds(1000));
  Schedule schedule({.per_second = 10}, &clock);
  Schedule::Job job = *schedule.Next();
  job.refusals = 1;
  schedule.ComeBack(job, clock.Now() + absl::Milliseconds(150));
  EXPECT_EQ(schedule.waiting(), 1u);
  clock.Advance(absl::Milliseconds(100));
  EXPECT_EQ(schedule.Next()->number, 1u);
  clock.Advance(absl::Milliseconds(100));
  EXPECT_EQ(schedule.Next()->refusals, 1);
  EXPECT_EQ(schedule.waiting(), 0u);
}

TEST(Schedule, EndsWithItsTime) {
  FakeClock clock(absl::FromUnixSeconds(1000));
  Schedule schedule({.duration = absl::Seconds(5)}, &clock);
  const Schedule::Job job = *schedule.Next();
  schedule.ComeBack(job, clock.Now() + absl::Seconds(6));
  clock.Advance(absl::Seconds(5));
  EXPECT_FALSE(schedule.Next().has_value());
  EXPECT_EQ(schedule.waiting(), 1u);
}

}  // namespace
}  // namespace corefleet

#include <cmath>

#include "collector/policy/moment.h"
#include "collector/policy/permission.h"
#include "collector/policy/send_budget.h"
#include "collector/policy/token_bucket.h"
#include "collector/policy/upload_schedule.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

constexpr absl::Time kToday = absl::FromUnixSeconds(1795000000);  // 2026

Moment At(absl::Duration since_boot, const std::string& boot = "a", absl::Time booted = kToday) {
  return {.wall = booted + since_boot, .since_boot = since_boot, .boot_id = boot};
}

TEST(TimePassed, WithinABootTheWallClockIsNotAsked) {
  Moment later = At(absl::Minutes(5));
  later.wall = absl::UnixEpoch();
  EXPECT_EQ(TimePassed(At(absl::Minutes(2)), later), absl::Minutes(3));
  EXPECT_EQ(TimePassed(later, At(absl::Minutes(2))), absl::ZeroDuration());
}

TEST(TimePassed, OverARebootIsAtLeastTheTimeSinceIt) {
  const Moment before = At(absl::Hours(1));
  EXPECT_EQ(TimePassed(before, At(absl::Minutes(1), "b", kToday + absl::Hours(5))),
            absl::Hours(4) + absl::Minutes(1));
  EXPECT_EQ(TimePassed(before, At(absl::Minutes(1), "b", absl::UnixEpoch())), absl::Minutes(1));
  EXPECT_EQ(TimePassed(before, At(absl::Minutes(1), "b", kToday - absl::Hours(9))), absl::Minutes(1));
  EXPECT_EQ(TimePassed(At(absl::Hours(1), "a", absl::UnixEpoch()), At(absl::Minutes(2), "b")),
            absl::Minutes(2));
}

TEST(Moment, IsReadBackAsItWasWritten) {
  const Moment moment = At(absl::Milliseconds(1234567), "5f1c-77");
  EXPECT_EQ(ParseMoment(FormatMoment(moment)), moment);
  EXPECT_EQ(ParseMoment("never"), Moment());
  EXPECT_EQ(ParseMoment(""), Moment());
}

TEST(TokenBucket, FillsEvenlyUpToItsCapacity) {
  TokenBucket bucket(24, absl::Hours(24), At(absl::ZeroDuration()));
  bucket.Take(24, At(absl::ZeroDuration()));
  EXPECT_NEAR(bucket.Tokens(At(absl::Hours(6))), 6, 1e-9);
  EXPECT_NEAR(bucket.Tokens(At(absl::Hours(100))), 24, 1e-9);
}

TEST(TokenBucket, AClockThatJumpsGrantsAtMostOnePeriod) {
  TokenBucket bucket(10, absl::Hours(24), At(absl::ZeroDuration()));
  bucket.Take(10, At(absl::ZeroDuration()));
  for (const absl::Time wall :
       {absl::UnixEpoch(), kToday + absl::Hours(24 * 3650), absl::UnixEpoch(), kToday}) {
    Moment now = At(absl::Seconds(10));
    now.wall = wall;
    EXPECT_LT(bucket.Tokens(now), 0.01);
  }
  EXPECT_EQ(bucket.Tokens(At(absl::Seconds(1), "b", kToday + absl::Hours(24 * 3650))), 10);
}

TEST(TokenBucket, BootsWithoutAClockNeitherFillNorBlockIt) {
  TokenBucket bucket(10, absl::Hours(24), At(absl::ZeroDuration(), "a", absl::UnixEpoch()));
  bucket.Take(10, At(absl::ZeroDuration(), "a", absl::UnixEpoch()));
  TokenBucket::State kept = bucket.state();
  // A boot loop: an hour up each time, in 1970.
  for (int boot = 0; boot < 12; ++boot) {
    TokenBucket next(10, absl::Hours(24), At(absl::ZeroDuration(), std::to_string(boot), absl::UnixEpoch()));
    next.Restore(kept);
    next.Tokens(At(absl::Hours(1), std::to_string(boot), absl::UnixEpoch()));
    kept = next.state();
  }
  EXPECT_NEAR(kept.tokens, 5, 1e-6);
}

TEST(TokenBucket, TakesAnyState) {
  TokenBucket bucket(10, absl::Hours(24), At(absl::ZeroDuration()));
  bucket.Restore({.tokens = std::nan(""), .at = At(absl::ZeroDuration())});
  EXPECT_EQ(bucket.Tokens(At(absl::ZeroDuration())), 0);
  bucket.Restore({.tokens = 1e300, .at = Moment()});
  EXPECT_EQ(bucket.Tokens(At(absl::ZeroDuration())), 10);
  bucket.Restore({.tokens = -1e300, .at = At(absl::ZeroDuration())});
  EXPECT_EQ(bucket.Tokens(At(absl::ZeroDuration())), -10);
}

TEST(SendBudget, TheDefaultLastsAsLongAsEitherDoes) {
  const Moment now = At(absl::Minutes(1));
  SendBudget budget({}, now);
  budget.BytesSent(500'000'000, now);
  EXPECT_EQ(budget.UntilCrash(now), absl::ZeroDuration());
  for (int i = 0; i < 32; ++i) budget.CrashSent(now);
  const absl::Duration wait = budget.UntilCrash(now);
  EXPECT_GT(wait, absl::Minutes(44));
  EXPECT_LT(wait, absl::Minutes(46));
  EXPECT_EQ(budget.UntilCrash(At(absl::Minutes(1) + wait)), absl::ZeroDuration());
  EXPECT_EQ(budget.UntilBytes(now), absl::ZeroDuration());  // what has begun goes through
}

TEST(SendBudget, AStrictOneStopsHalfWay) {
  const Moment now = At(absl::Minutes(1));
  SendBudget budget({.bytes_per_day = 1000, .strict = true}, now);
  EXPECT_EQ(budget.UntilBytes(now), absl::ZeroDuration());
  budget.BytesSent(1500, now);
  const absl::Duration wait = budget.UntilBytes(now);
  EXPECT_NEAR(absl::ToDoubleHours(wait), 13, 0.01);
  EXPECT_GE(budget.UntilCrash(now), wait);
  EXPECT_EQ(budget.UntilBytes(At(absl::Minutes(1) + wait)), absl::ZeroDuration());
}

TEST(SendBudget, SurvivesARestart) {
  const Moment now = At(absl::Minutes(1));
  SendBudget budget({.bytes_per_day = 1000, .strict = true}, now);
  budget.BytesSent(2000, now);
  const Moment later = At(absl::Minutes(2));
  SendBudget next({.bytes_per_day = 1000, .strict = true}, later);
  next.Restore(budget.state());
  EXPECT_GT(next.UntilCrash(later), absl::ZeroDuration());
}

TEST(SendBudget, PacesWhatLeaves) {
  const Moment now = At(absl::Minutes(1));
  SendBudget budget({.bytes_per_second = 1000}, now);
  EXPECT_EQ(budget.Pace(500, now), absl::ZeroDuration());
  EXPECT_EQ(budget.Pace(500, now), absl::Milliseconds(500));
  EXPECT_EQ(budget.Pace(500, At(absl::Minutes(2))), absl::ZeroDuration());
}

TEST(UploadSchedule, AFleetThatBootsTogetherDoesNotCallTogether) {
  const Moment now = At(absl::Seconds(40));
  for (const double random : {0.0, 0.5, 0.99}) {
    UploadSchedule schedule({.interval = absl::Hours(1)}, now, [random] { return random; });
    EXPECT_EQ(schedule.UntilDue(now), absl::Minutes(15) * random);
    schedule.RoundDone(now);
    EXPECT_EQ(schedule.UntilDue(now), absl::Hours(1));
  }
}

TEST(UploadSchedule, BacksOffWithFullJitterUpToItsCeiling) {
  const Moment now = At(absl::Seconds(40));
  UploadSchedule schedule({}, now, [] { return 0.5; });
  std::vector<double> waits;
  for (int i = 0; i < 12; ++i) {
    schedule.Failed(absl::ZeroDuration(), false, now);
    waits.push_back(absl::ToDoubleSeconds(schedule.UntilDue(now)));
    if (i == 10) schedule.Progressed();
  }
  EXPECT_EQ(waits, (std::vector<double>{0.5, 1, 2, 4, 8, 16, 32, 64, 128, 150, 150, 0.5}));
}

TEST(UploadSchedule, AServerMakesAWaitLongerEvenOverARestart) {
  const Moment now = At(absl::Seconds(40));
  UploadSchedule schedule({}, now, [] { return 0.5; });
  schedule.Failed(absl::Minutes(30), false, now);
  EXPECT_EQ(schedule.UntilDue(now), absl::Minutes(30) + absl::Milliseconds(500));
  EXPECT_TRUE(schedule.held_by_server(now));
  const Moment later = At(absl::Minutes(10) + absl::Seconds(40));
  UploadSchedule restarted({}, later, [] { return 0.0; });
  restarted.Restore(schedule.state());
  EXPECT_EQ(restarted.UntilDue(later), absl::Minutes(20));
  schedule.Hasten(later);
  EXPECT_EQ(schedule.UntilDue(later), absl::Minutes(20));
}

TEST(UploadSchedule, NotInThisBootIsNotInThisBoot) {
  const Moment now = At(absl::Seconds(40));
  UploadSchedule schedule({}, now, [] { return 0.0; });
  schedule.Failed(absl::ZeroDuration(), true, now);
  EXPECT_EQ(schedule.UntilDue(At(absl::Hours(1000))), absl::InfiniteDuration());
  const Moment next = At(absl::Seconds(5), "b");
  UploadSchedule restarted({}, next, [] { return 0.0; });
  restarted.Restore(schedule.state());
  EXPECT_EQ(restarted.UntilDue(next), absl::ZeroDuration());
}

TEST(PermissionFor, ConsentComesBeforeEverything) {
  EXPECT_EQ(PermissionFor({}), Permission::kSend);
  EXPECT_EQ(PermissionFor({.consent_needed = true}), Permission::kNoConsent);
  EXPECT_EQ(PermissionFor({.consent_needed = true, .link_metered = true}), Permission::kNoConsent);
  EXPECT_EQ(PermissionFor({.consent_needed = true, .consent_given = true}), Permission::kSend);
}

TEST(PermissionFor, AMeteredLink) {
  EXPECT_EQ(PermissionFor({.link_metered = true}), Permission::kWait);
  EXPECT_EQ(PermissionFor({.on_metered = OnMeteredLink::kLogOnly, .link_metered = true}),
            Permission::kLogOnly);
  EXPECT_EQ(PermissionFor({.on_metered = OnMeteredLink::kAllow, .link_metered = true}), Permission::kSend);
}

constexpr char kRoute[] =
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
    "wwan0\t00000000\t0100000A\t0003\t0\t0\t700\t00000000\t0\t0\t0\n"
    "eth0\t00000000\t01001EAC\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
    "eth1\t00000000\t01001EAC\t0002\t0\t0\t1\t00000000\t0\t0\t0\n"
    "eth0\t00001EAC\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
constexpr char kRoute6[] =
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
    "fe800000000000000000000000000001 00000064 00000001 00000000 00000003     rmnet0\n"
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
    "00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n";

TEST(DefaultInterface, TheSmallestMetricWins) {
  EXPECT_EQ(DefaultInterface(kRoute, kRoute6), "eth0");
  EXPECT_EQ(DefaultInterface("", kRoute6), "rmnet0");
  EXPECT_EQ(DefaultInterface("", ""), "");
  EXPECT_EQ(DefaultInterface("eth0 00000000\n\n \t\n", "x"), "");
}

TEST(MatchesInterface, AStarAtTheEnd) {
  EXPECT_TRUE(MatchesInterface("wwan0", {"ppp0", "wwan*"}));
  EXPECT_FALSE(MatchesInterface("eth0", {"ppp0", "wwan*"}));
  EXPECT_FALSE(MatchesInterface("ppp01", {"ppp0"}));
  EXPECT_FALSE(MatchesInterface("", {"*"}));
}

}  // namespace
}  // namespace corefleet

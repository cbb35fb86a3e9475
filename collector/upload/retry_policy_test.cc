#include "collector/upload/retry_policy.h"

#include "gtest/gtest.h"

namespace corefleet {
namespace {

TEST(Backoff, DoublesUpToItsCeilingAndStartsOverOnProgress) {
  FakeClock clock(absl::FromUnixSeconds(1000));
  Backoff backoff({.first_delay = absl::Seconds(1), .max_delay = absl::Seconds(5)}, &clock,
                  [] { return 0.5; });
  std::vector<double> waits;
  for (int i = 0; i < 5; ++i) {
    const absl::Time before = clock.Now();
    ASSERT_TRUE(backoff.Wait());
    waits.push_back(absl::ToDoubleSeconds(clock.Now() - before));
    if (i == 3) backoff.Progressed();
  }
  EXPECT_EQ(waits, (std::vector<double>{0.5, 1, 2, 2.5, 0.5}));
}

TEST(Backoff, ReportsAnUnreachableServerToAPersonWithinFiveSeconds) {
  FakeClock clock(absl::FromUnixSeconds(1000));
  Backoff backoff(RetryPolicy::Interactive(), &clock, [] { return 0.99; });
  while (backoff.Wait()) {
  }
  EXPECT_LE(clock.Now() - absl::FromUnixSeconds(1000), absl::Seconds(5));
}

TEST(Backoff, IsPatientOnceTheServerAnswered) {
  FakeClock clock(absl::FromUnixSeconds(1000));
  Backoff backoff(RetryPolicy::Interactive(), &clock, [] { return 0.99; });
  backoff.Reached();
  while (backoff.Wait()) {
  }
  EXPECT_GE(clock.Now() - absl::FromUnixSeconds(1000), absl::Seconds(60));
}

TEST(Backoff, SurvivesAClockThatIsSetBack) {
  FakeClock clock(absl::FromUnixSeconds(1000));
  Backoff backoff(RetryPolicy::Interactive(), &clock, [] { return 0.5; });
  clock.Advance(-absl::Hours(1));
  while (backoff.Wait()) {
  }
  EXPECT_LE(clock.Now(), absl::FromUnixSeconds(1005) - absl::Hours(1));
}

TEST(Backoff, AServerMakesAWaitLongerAndNeverShorter) {
  FakeClock clock(absl::FromUnixSeconds(1000));
  Backoff backoff(RetryPolicy::Endless(), &clock, [] { return 0.5; });
  ASSERT_TRUE(backoff.Wait(absl::Minutes(7)));
  EXPECT_EQ(clock.Now() - absl::FromUnixSeconds(1000), absl::Minutes(7) + absl::Milliseconds(500));
  ASSERT_TRUE(backoff.Wait(absl::ZeroDuration()));
  EXPECT_EQ(clock.Now() - absl::FromUnixSeconds(1000), absl::Minutes(7) + absl::Milliseconds(1500));
}

TEST(Backoff, CountsFruitlessBreaksAnewOnProgress) {
  FakeClock clock(absl::FromUnixSeconds(1000));
  Backoff backoff(RetryPolicy::WhileItPays(), &clock, [] { return 0.5; });
  EXPECT_TRUE(backoff.Wait());
  backoff.Progressed();
  EXPECT_TRUE(backoff.Wait());
  EXPECT_FALSE(backoff.Wait());
}

TEST(SystemRandom, StaysBelowOne) {
  const std::function<double()> random = SystemRandom();
  for (int i = 0; i < 100; ++i) {
    const double number = random();
    EXPECT_GE(number, 0);
    EXPECT_LT(number, 1);
  }
}

}  // namespace
}  // namespace corefleet

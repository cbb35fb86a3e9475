#include "server/rpc/flush_pace.h"

#include <gtest/gtest.h>

namespace corefleet {
namespace {

constexpr uint64_t kLittle = 64 << 10;

class FlushPaceTest : public testing::Test {
 protected:
  // Asks, and waits as long as it has to.
  absl::Duration Ask(uint64_t bytes) {
    const absl::Duration wait = pace_.Ask(bytes, now_);
    now_ += wait;
    return wait;
  }

  absl::Time now_ = absl::FromUnixSeconds(1'800'000'000);
  FlushPace pace_{now_};
};

TEST_F(FlushPaceTest, ABurstIsFreeAndTheRestHasItsPace) {
  for (int i = 0; i < FlushPace::kBurst; ++i) ASSERT_EQ(Ask(kLittle), absl::ZeroDuration()) << i;
  const absl::Time began = now_;
  for (int i = 0; i < 100; ++i) EXPECT_LE(Ask(kLittle), FlushPace::kEvery);
  EXPECT_GE(now_ - began, 99 * FlushPace::kEvery);
  EXPECT_LE(now_ - began, 100 * FlushPace::kEvery);
}

TEST_F(FlushPaceTest, MuchIsAlwaysFree) {
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(Ask(FlushPace::kMuch), absl::ZeroDuration());
  EXPECT_EQ(Ask(kLittle), absl::ZeroDuration());
}

TEST_F(FlushPaceTest, WhoIsSlowAnywayNeverWaits) {
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(Ask(kLittle), absl::ZeroDuration());
    now_ += FlushPace::kEvery;
  }
}

TEST_F(FlushPaceTest, AClockThatGoesBackGivesNothingAway) {
  for (int i = 0; i < FlushPace::kBurst; ++i) Ask(kLittle);
  now_ -= absl::Hours(1);
  EXPECT_EQ(Ask(kLittle), FlushPace::kEvery);
}

}  // namespace
}  // namespace corefleet

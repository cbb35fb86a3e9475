#include "server/analysis/turns.h"

#include <gtest/gtest.h>

namespace corefleet {
namespace {

class TurnsTest : public testing::Test {
 protected:
  // Asks every 100 ms for `duration`; how often it was analysis' turn.
  int Ask(absl::Duration duration) {
    int turns = 0;
    for (absl::Duration d; d < duration; d += absl::Milliseconds(100)) {
      turns += turns_.Mine() ? 1 : 0;
      clock_.Advance(absl::Milliseconds(100));
    }
    return turns;
  }

  bool busy_ = false;
  FakeClock clock_{absl::FromUnixSeconds(1'800'000'000)};
  Turns turns_{[this] { return busy_; }, &clock_, {}};
};

TEST_F(TurnsTest, AnalysesWhileDevicesLeaveTheServerAlone) { EXPECT_EQ(Ask(absl::Seconds(2)), 20); }

TEST_F(TurnsTest, LeavesABurstToTheDevicesAndAMomentAfterIt) {
  busy_ = true;
  EXPECT_EQ(Ask(absl::Seconds(3)), 0);
  busy_ = false;
  EXPECT_FALSE(turns_.Mine()) << "between two crashes of a burst there is a gap";
  clock_.Advance(absl::Milliseconds(200));
  EXPECT_TRUE(turns_.Mine());
}

TEST_F(TurnsTest, AGapDoesNotEndABurst) {
  for (int i = 0; i < 25; ++i) {
    busy_ = true;
    EXPECT_EQ(Ask(absl::Milliseconds(100)), 0);
    busy_ = false;
    EXPECT_EQ(Ask(absl::Milliseconds(100)), 0);
  }
  busy_ = true;
  EXPECT_EQ(Ask(absl::Seconds(1)), 10) << "five seconds have passed";
}

TEST_F(TurnsTest, NoCrashWaitsForALoadThatDoesNotEnd) {
  busy_ = true;
  EXPECT_EQ(Ask(absl::Seconds(5)), 0);
  EXPECT_EQ(Ask(absl::Seconds(7)), 70);
  busy_ = false;
  EXPECT_EQ(Ask(absl::Seconds(1)), 10);
  busy_ = true;
  EXPECT_EQ(Ask(absl::Seconds(5)), 0) << "another burst";
}

}  // namespace
}  // namespace corefleet

#include "server/admission/watermarks.h"

#include <gtest/gtest.h>

namespace corefleet {
namespace {

TEST(DiskWatermarkTest, StaysFullUntilThereIsClearlyMoreRoom) {
  DiskWatermark disk(100, 200);
  EXPECT_TRUE(disk.HasRoom(0, 100, 0));
  EXPECT_FALSE(disk.HasRoom(0, 99, 0));
  EXPECT_FALSE(disk.HasRoom(0, 150, 0));
  EXPECT_TRUE(disk.full());
  EXPECT_TRUE(disk.HasRoom(0, 200, 0));
  EXPECT_TRUE(disk.HasRoom(0, 150, 0));
}

TEST(DiskWatermarkTest, LeavesRoomForWhatWasLetInBefore) {
  DiskWatermark disk(100, 200);
  EXPECT_FALSE(disk.HasRoom(0, 1000, 901));
  EXPECT_FALSE(DiskWatermark(100, 200).HasRoom(0, 1000, 5000));
}

TEST(DiskWatermarkTest, ACrashThatIsTooLargeShutsNobodyElseOut) {
  DiskWatermark disk(100, 200);
  EXPECT_TRUE(disk.HasRoom(900, 1000, 0));
  EXPECT_FALSE(disk.HasRoom(901, 1000, 0));
  EXPECT_TRUE(disk.HasRoom(1, 1000, 0));
}

class DatabaseLoadTest : public testing::Test {
 protected:
  void Answer(absl::Duration took, int times) {
    for (int i = 0; i < times; ++i) load_.Answered(took, now_);
  }

  DatabaseLoad load_{
      {.slow = absl::Seconds(2), .quick = absl::Seconds(1), .backlog = 1000, .backlog_again = 500}};
  absl::Time now_ = absl::FromUnixSeconds(1'800'000'000);
};

TEST_F(DatabaseLoadTest, OneSlowAnswerIsNoLoad) {
  Answer(absl::Milliseconds(5), 100);
  Answer(absl::Seconds(15), 1);
  EXPECT_EQ(load_.Busy(now_), std::nullopt);
}

TEST_F(DatabaseLoadTest, SlowAnswersAreUntilTheyAreQuickAgain) {
  Answer(absl::Seconds(3), 30);
  EXPECT_TRUE(load_.Busy(now_).has_value());
  Answer(absl::Milliseconds(1500), 100);
  EXPECT_TRUE(load_.Busy(now_).has_value()) << "between the marks nothing changes";
  Answer(absl::Milliseconds(100), 30);
  EXPECT_EQ(load_.Busy(now_), std::nullopt);
}

TEST_F(DatabaseLoadTest, SilenceEndsSlowness) {
  Answer(absl::Seconds(3), 30);
  now_ += absl::Seconds(11);
  EXPECT_EQ(load_.Busy(now_), std::nullopt);
}

TEST_F(DatabaseLoadTest, WhoKeptAwayForTheDelayIsNotSentAwayForWhatWasBefore) {
  Answer(absl::Seconds(3), 30);
  const auto delay = load_.Busy(now_);
  ASSERT_TRUE(delay.has_value());
  now_ += *delay;
  Answer(absl::Milliseconds(5), 1);
  EXPECT_EQ(load_.Busy(now_), std::nullopt);
}

TEST_F(DatabaseLoadTest, ABacklogWaitsForItsAnalysis) {
  load_.Backlog(1000, now_);
  EXPECT_EQ(load_.Busy(now_), std::nullopt);
  load_.Backlog(1100, now_);
  EXPECT_EQ(load_.Busy(now_), absl::Minutes(10)) << "nothing says that it becomes less";
  now_ += absl::Seconds(10);
  load_.Backlog(1000, now_);
  EXPECT_EQ(load_.Busy(now_), absl::Seconds(50)) << "500 too many, ten a second";
  now_ += absl::Seconds(50);
  load_.Backlog(500, now_);
  EXPECT_EQ(load_.Busy(now_), std::nullopt);
}

}  // namespace
}  // namespace corefleet

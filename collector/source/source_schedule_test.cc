#include "collector/source/source_schedule.h"

#include <deque>

#include "collector/source/change_notice.h"
#include "collector/source/scratch_folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

// Something that says something at given times, and time that goes by as it is waited for.
class FakeWorld final : public WakePoll, public WakeSource {
 public:
  struct Event {
    absl::Duration at;
    bool matters;
  };
  explicit FakeWorld(FakeBootClock* clock) : clock_(clock) {}

  void Say(absl::Duration in, bool matters) { events_.push_back({clock_->SinceBoot() + in, matters}); }

  void Wait(const std::vector<int>& descriptors, absl::Duration timeout) override {
    ++waits_;
    absl::Duration wait = std::min(timeout, absl::Hours(1000));
    if (!descriptors.empty() && !events_.empty())
      wait = std::min(wait, std::max(events_.front().at - clock_->SinceBoot(), absl::ZeroDuration()));
    clock_->Advance(wait);
  }
  int descriptor() const override { return 7; }
  bool Take() override {
    bool matters = false;
    while (!events_.empty() && events_.front().at <= clock_->SinceBoot()) {
      matters = matters || events_.front().matters;
      events_.pop_front();
    }
    return matters;
  }
  int waits() const { return waits_; }

 private:
  FakeBootClock* const clock_;
  std::deque<Event> events_;
  int waits_ = 0;
};

class SourceScheduleTest : public testing::Test {
 protected:
  SourceScheduleTest() { schedule_.Listen(&world_); }
  FakeBootClock clock_;
  FakeWorld world_{&clock_};
  SourceSchedule schedule_{&clock_, &world_};
};

TEST_F(SourceScheduleTest, TimersThatCanWaitForEachOtherDo) {
  schedule_.Set("look", absl::Minutes(10), absl::Minutes(10));
  schedule_.Set("upload", absl::Minutes(15), absl::Minutes(1));
  schedule_.Set("report", absl::Hours(5), absl::Hours(1));
  const absl::Duration start = clock_.SinceBoot();
  EXPECT_THAT(schedule_.Next().timers, UnorderedElementsAre("look", "upload"));
  EXPECT_EQ(clock_.SinceBoot() - start, absl::Minutes(16));
  EXPECT_THAT(schedule_.Next().timers, ElementsAre("report"));
}

TEST_F(SourceScheduleTest, WhatIsToldWakesAtOnceAndTakesWhatIsDueAlong) {
  schedule_.Set("due", absl::Minutes(1), absl::Hours(1));
  schedule_.Set("not yet", absl::Minutes(30), absl::Hours(1));
  world_.Say(absl::Minutes(5), true);
  const Wakeup wakeup = schedule_.Next();
  EXPECT_TRUE(wakeup.told);
  EXPECT_THAT(wakeup.timers, ElementsAre("due"));
}

TEST_F(SourceScheduleTest, WhatDoesNotMatterIsSleptThrough) {
  schedule_.Set("look", absl::Hours(1), absl::ZeroDuration());
  for (int i = 1; i <= 5; ++i) world_.Say(absl::Minutes(i), false);
  const Wakeup wakeup = schedule_.Next();
  EXPECT_FALSE(wakeup.told);
  EXPECT_THAT(wakeup.timers, ElementsAre("look"));
  EXPECT_EQ(schedule_.wakeups(), 1u);
}

TEST_F(SourceScheduleTest, AStormIsOneWakeupABreather) {
  schedule_.set_breather(absl::Seconds(1));
  for (int i = 0; i < 10000; ++i) world_.Say(absl::Milliseconds(i), true);
  schedule_.Set("end", absl::Seconds(20), absl::ZeroDuration());
  while (schedule_.Next().timers.empty()) {
  }
  EXPECT_LE(schedule_.wakeups(), 12u);
}

TEST_F(SourceScheduleTest, AnIdleHourHasAFewWakeups) {
  // What the collector has when nothing happens: look at the sources, tidy the spool, try to send.
  schedule_.Set("look", absl::Minutes(30), absl::Minutes(30));
  schedule_.Set("tidy", absl::Minutes(30), absl::Minutes(30));
  schedule_.Set("send", absl::Minutes(20), absl::Minutes(10));
  const absl::Duration end = clock_.SinceBoot() + absl::Hours(24);
  while (clock_.SinceBoot() < end) {
    for (const std::string& timer : schedule_.Next().timers) {
      const bool send = timer == "send";
      schedule_.Set(timer, absl::Minutes(send ? 20 : 30), absl::Minutes(send ? 10 : 30));
    }
  }
  EXPECT_LE(schedule_.wakeups(), 24u * 3);
  EXPECT_LE(world_.waits(), 24 * 3 * 2);
}

TEST_F(SourceScheduleTest, ATimerIsSetAnewAndTakenAway) {
  schedule_.Set("a", absl::Hours(1), absl::ZeroDuration());
  schedule_.Set("a", absl::Hours(2), absl::ZeroDuration());
  EXPECT_EQ(schedule_.UntilNext(), absl::Hours(2));
  schedule_.Set("a", absl::InfiniteDuration(), absl::ZeroDuration());
  EXPECT_EQ(schedule_.UntilNext(), absl::InfiniteDuration());
  schedule_.Set("b", -absl::Hours(1), -absl::Hours(1));
  EXPECT_THAT(schedule_.Next().timers, ElementsAre("b"));
}

TEST(ChangeNoticeTest, AFileWakesTheRealPoll) {
  const ScratchFolder folder;
  ChangeNotice notice;
  if (!notice.Watch({folder.path()})) GTEST_SKIP() << "no inotify here";
  SourceSchedule schedule(nullptr, nullptr);
  schedule.Listen(&notice);
  schedule.Set("never", absl::Hours(10), absl::ZeroDuration());
  folder.Write("new");
  const Wakeup wakeup = schedule.Next();
  EXPECT_TRUE(wakeup.told);
  EXPECT_THAT(wakeup.timers, IsEmpty());
}

}  // namespace
}  // namespace corefleet

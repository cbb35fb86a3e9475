#include "server/admission/bytes_in_flight.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace corefleet {
namespace {

const SessionId kA("a");
const SessionId kB("b");
const DeviceId kDevice("d");
const DeviceId kOther("e");
constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kCrash = BytesInFlight::kCrashWork;  // half a MiB

using Room = BytesInFlight::Room;

class BytesInFlightTest : public testing::Test {
 protected:
  static BytesInFlight::Limits Limits() {
    return {.work = {.least = 10 * kMiB, .first = 10 * kMiB, .most = 10 * kMiB},
            .session_work = 4 * kMiB,
            .silence = absl::Seconds(2),
            .stall = absl::Seconds(60),
            .sessions = 10};
  }
  // For another device than those that have something in flight.
  bool HasRoom(uint64_t bytes, bool in_turn = false) {
    return flight_.RoomFor(DeviceId("new"), bytes, now_, in_turn) == Room::kFree;
  }
  uint64_t work() { return flight_.standing(now_).work; }

  BytesInFlight flight_{Limits()};
  absl::Time now_ = absl::FromUnixSeconds(1'800'000'000);
};

TEST_F(BytesInFlightTest, CountsWhatIsStillToComeAndTheCrashItself) {
  flight_.Expect(kA, kDevice, 3 * kMiB, now_);
  flight_.Expect(kB, kOther, 4 * kMiB, now_);
  EXPECT_EQ(work(), 8 * kMiB);
  EXPECT_TRUE(HasRoom(3 * kMiB / 2));
  EXPECT_FALSE(HasRoom(3 * kMiB / 2 + 1));
  flight_.Brought(kA, 1, now_);
  EXPECT_TRUE(HasRoom(3 * kMiB / 2 + 1));
  flight_.Brought(kA, 100 * kMiB, now_);
  EXPECT_EQ(flight_.remaining(), 4 * kMiB);
  EXPECT_EQ(work(), 4 * kMiB + 2 * kCrash);
  flight_.Expect(kB, kOther, kMiB, now_);
  EXPECT_EQ(flight_.remaining(), kMiB);
  flight_.End(kB, now_);
  flight_.End(kB, now_);
  flight_.Brought(kB, 100, now_);
  flight_.End(kA, now_);
  EXPECT_EQ(flight_.remaining(), 0u);
  EXPECT_EQ(work(), 0u);
}

TEST_F(BytesInFlightTest, OneSessionCountsForItsPartOnly) {
  flight_.Expect(kA, kDevice, 1024 * kMiB, now_);
  EXPECT_EQ(work(), 4 * kMiB + kCrash);
  EXPECT_TRUE(HasRoom(1024 * kMiB));
  flight_.Brought(kA, 1023 * kMiB, now_);
  EXPECT_EQ(work(), kMiB + kCrash);
}

TEST_F(BytesInFlightTest, ASlowDeviceCountsForWhatItBringsInHalfASecond) {
  flight_.Expect(kA, kDevice, 4 * kMiB, now_);
  for (int i = 0; i < 4; ++i) {
    now_ += absl::Milliseconds(500);
    flight_.Brought(kA, 32 << 10, now_);
  }
  EXPECT_EQ(work(), 32u << 10);
  EXPECT_EQ(flight_.remaining(), 4 * kMiB - (128 << 10)) << "on the disk it needs all its room";
}

TEST_F(BytesInFlightTest, WhoIsSilentDoesNotCountUntilSomethingComes) {
  flight_.Expect(kA, kDevice, 4 * kMiB, now_);
  flight_.Expect(kB, kOther, 4 * kMiB, now_);
  now_ += absl::Milliseconds(1500);
  flight_.Brought(kB, kMiB, now_);
  now_ += absl::Milliseconds(500);
  EXPECT_LT(work(), kMiB);
  EXPECT_EQ(flight_.remaining(), 3 * kMiB) << "of whom nothing ever came no byte is expected";
  flight_.Brought(kA, kMiB, now_);
  EXPECT_GT(work(), kMiB / 2);
  now_ += absl::Seconds(60);
  EXPECT_EQ(work(), 0u);
  now_ += absl::Seconds(60);
  EXPECT_EQ(work(), 0u);
  EXPECT_EQ(flight_.remaining(), 0u) << "and in the end nothing is expected of it";
}

TEST_F(BytesInFlightTest, AStreamThatEndsDoesNotCountUntilTheNext) {
  flight_.Expect(kA, kDevice, 4 * kMiB, now_);
  flight_.Left(kA);
  flight_.Left(kA);
  EXPECT_EQ(work(), 0u);
  flight_.Brought(kA, kMiB, now_);
  EXPECT_EQ(work(), 3 * kMiB + kCrash);
  flight_.Left(kA);
  EXPECT_EQ(work(), 0u);
  EXPECT_EQ(flight_.remaining(), 3 * kMiB) << "on the disk it keeps its room";
  flight_.End(kA, now_);
  EXPECT_EQ(flight_.remaining(), 0u);
}

TEST_F(BytesInFlightTest, AnnouncingReservesLittleOfTheDiskAndBringingAllOfIt) {
  flight_.Expect(kA, kDevice, 1024 * 1024 * kMiB, now_);
  EXPECT_EQ(flight_.remaining(), BytesInFlight::kBelieved);
  flight_.Brought(kA, 4 * kMiB, now_);
  EXPECT_EQ(flight_.remaining(), 2 * BytesInFlight::kBelieved);
  flight_.Expect(kB, kOther, 1024 * kMiB, now_);
  flight_.Brought(kB, 100 * kMiB, now_);
  EXPECT_EQ(flight_.remaining(), 2 * BytesInFlight::kBelieved + 924 * kMiB);
  flight_.End(kA, now_);
  flight_.End(kB, now_);
  EXPECT_EQ(flight_.remaining(), 0u);
}

TEST_F(BytesInFlightTest, AServerWithNothingToDoTakesAnything) {
  BytesInFlight tiny({.work = {.least = 1, .first = 1, .most = 1}});
  EXPECT_EQ(tiny.RoomFor(kDevice, 1024 * kMiB, now_, false), Room::kFree);
}

TEST_F(BytesInFlightTest, OneDeviceHasAQuarterWhileHalfIsTaken) {
  flight_.Expect(kA, kDevice, 2 * kMiB, now_);
  flight_.Brought(kA, 1, now_);
  EXPECT_EQ(flight_.RoomFor(kDevice, kMiB, now_, false), Room::kFree) << "nobody else wants it";
  flight_.Expect(kB, kOther, 2 * kMiB, now_);
  EXPECT_EQ(flight_.RoomFor(kDevice, kMiB, now_, false), Room::kDeviceFull);
  EXPECT_EQ(flight_.RoomFor(DeviceId("third"), kMiB, now_, false), Room::kFree);
  flight_.End(kA, now_);
  EXPECT_EQ(flight_.RoomFor(kDevice, kMiB, now_, false), Room::kFree);
}

TEST_F(BytesInFlightTest, WhoPromisedACrashBringsSomeOfItBeforeTheNext) {
  flight_.Expect(kA, kDevice, 1, now_);
  flight_.Expect(kB, kOther, 4 * kMiB, now_);
  EXPECT_EQ(flight_.RoomFor(kDevice, 1, now_, false), Room::kDeviceFull);
  flight_.Brought(kA, 1, now_);
  EXPECT_EQ(flight_.RoomFor(kDevice, 1, now_, false), Room::kFree);
}

TEST_F(BytesInFlightTest, WaitsAsLongAsTheWorkBeforeNeeds) {
  for (const char* id : {"a", "b", "c"}) flight_.Expect(SessionId(id), kDevice, 4 * kMiB, now_);
  const double speed = flight_.standing(now_).speed;
  const auto takes = [&](double mib) { return absl::Seconds(mib * kMiB / speed); };
  const auto near = [](absl::Duration a, absl::Duration b) {
    return absl::AbsDuration(a - b) < absl::Microseconds(1);
  };
  // 13.5 MiB are in flight, 8.5 more than half of what may be.
  EXPECT_TRUE(near(flight_.Wait(2 * kMiB, now_), takes(8.5 + 2.5)));
  EXPECT_TRUE(near(flight_.Wait(2 * kMiB, now_), takes(8.5 + 5)));
  EXPECT_TRUE(near(flight_.WaitInTurn(2 * kMiB, now_), takes(8.5 + 2.5))) << "whose turn has come";
  EXPECT_TRUE(near(flight_.WaitInTurn(2 * kMiB, now_), takes(8.5 + 5))) << "behind the other one";
  EXPECT_TRUE(near(flight_.standing(now_).queue, takes(8.5 + 5)));
}

TEST_F(BytesInFlightTest, AQuarterBelongsToThoseWhoWereToldToComeBack) {
  flight_.Expect(kA, kDevice, 3 * kMiB, now_);
  flight_.Expect(kB, kOther, 4 * kMiB, now_);
  EXPECT_TRUE(HasRoom(kMiB));
  flight_.Wait(kMiB, now_);
  EXPECT_FALSE(HasRoom(kMiB));
  EXPECT_TRUE(HasRoom(kMiB, /*in_turn=*/true));
}

TEST_F(BytesInFlightTest, RemembersSoManySessionsAndNoMore) {
  for (int i = 0; i < 100; ++i) flight_.Expect(SessionId(absl::StrCat(i)), kDevice, 1, now_);
  EXPECT_EQ(flight_.remaining(), 10u);
  EXPECT_EQ(work(), 10 * (1 + kCrash));
}

}  // namespace
}  // namespace corefleet

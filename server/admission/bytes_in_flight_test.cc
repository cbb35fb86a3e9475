#include "server/admission/bytes_in_flight.h"

#include <gtest/gtest.h>

namespace corefleet {
namespace {

const SessionId kA("a");
const SessionId kB("b");

class BytesInFlightTest : public testing::Test {
 protected:
  static BytesInFlight::Limits Limits() {
    return {.bytes = 1000, .session_bytes = 400, .stall = absl::Seconds(60), .sessions = 10};
  }
  bool HasRoom(uint64_t bytes, bool in_turn = false) { return flight_.HasRoom(bytes, now_, in_turn); }

  BytesInFlight flight_{Limits()};
  absl::Time now_ = absl::FromUnixSeconds(1'800'000'000);
};

TEST_F(BytesInFlightTest, CountsWhatIsStillToCome) {
  flight_.Expect(kA, 300, now_);
  flight_.Expect(kB, 400, now_);
  EXPECT_TRUE(HasRoom(300));
  EXPECT_FALSE(HasRoom(301));
  flight_.Brought(kA, 1, now_);
  EXPECT_TRUE(HasRoom(301));
  flight_.Brought(kA, 1'000'000, now_);
  EXPECT_EQ(flight_.remaining(), 400u);
  flight_.Expect(kB, 200, now_);
  EXPECT_EQ(flight_.remaining(), 200u);
  flight_.End(kB);
  flight_.End(kB);
  flight_.Brought(kB, 100, now_);
  EXPECT_EQ(flight_.remaining(), 0u);
  EXPECT_EQ(flight_.counted(), 0u);
}

TEST_F(BytesInFlightTest, OneSessionCountsForItsPartOnly) {
  flight_.Expect(kA, 1'000'000, now_);
  EXPECT_EQ(flight_.counted(), 400u);
  EXPECT_EQ(flight_.remaining(), 1'000'000u);
  EXPECT_TRUE(HasRoom(1'000'000));
  flight_.Brought(kA, 999'900, now_);
  EXPECT_EQ(flight_.counted(), 100u);
}

TEST_F(BytesInFlightTest, WhatStallsGivesItsPlaceBack) {
  flight_.Expect(kA, 400, now_);
  flight_.Expect(kB, 400, now_);
  now_ += absl::Seconds(50);
  flight_.Brought(kB, 1, now_);
  EXPECT_FALSE(HasRoom(300));
  now_ += absl::Seconds(10);
  EXPECT_TRUE(HasRoom(300));
  EXPECT_EQ(flight_.remaining(), 399u);
}

TEST_F(BytesInFlightTest, AServerWithNothingToDoTakesAnything) {
  BytesInFlight tiny({.bytes = 10, .session_bytes = 400, .stall = absl::Seconds(60), .sessions = 10});
  EXPECT_TRUE(tiny.HasRoom(400, now_, false));
}

TEST_F(BytesInFlightTest, WaitsAsLongAsTheBytesBeforeNeed) {
  for (const char* id : {"a", "b", "c"}) flight_.Expect(SessionId(id), 400, now_);
  // 50 bytes a second.
  flight_.Brought(kA, 0, now_);
  now_ += absl::Seconds(2);
  flight_.Brought(kA, 100, now_);
  // 1100 are in flight: 100 too many, and 400 more, 10 s. The next one waits for these, too.
  EXPECT_EQ(flight_.Wait(400, now_), absl::Seconds(10));
  EXPECT_EQ(flight_.Wait(400, now_), absl::Seconds(18));
  now_ += absl::Seconds(5);
  EXPECT_EQ(flight_.Wait(400, now_), absl::Seconds(21));
}

TEST_F(BytesInFlightTest, WhenNothingMovesTheWaitIsTheStall) {
  for (const char* id : {"a", "b", "c"}) flight_.Expect(SessionId(id), 400, now_);
  EXPECT_EQ(flight_.Wait(400, now_), absl::Seconds(30)) << "1200 bytes are gone in a minute";
}

TEST_F(BytesInFlightTest, AQuarterBelongsToThoseWhoWereToldToComeBack) {
  flight_.Expect(kA, 400, now_);
  flight_.Expect(kB, 400, now_);
  EXPECT_FALSE(HasRoom(300));
  flight_.Wait(300, now_);
  EXPECT_FALSE(HasRoom(100));
  EXPECT_TRUE(HasRoom(100, /*in_turn=*/true));
}

TEST_F(BytesInFlightTest, RemembersSoManySessionsAndNoMore) {
  for (int i = 0; i < 100; ++i) flight_.Expect(SessionId(std::to_string(i)), 1, now_);
  EXPECT_EQ(flight_.remaining(), 10u);
}

}  // namespace
}  // namespace corefleet

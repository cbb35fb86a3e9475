#include "collector/upload/connection_life.h"

#include "gtest/gtest.h"

namespace corefleet {
namespace {

TEST(ConnectionLife, OneBreakIsNoPattern) {
  ConnectionLife life;
  life.Broke(200'000);
  EXPECT_EQ(life.allowance(), ConnectionLife::kUnlimited);
}

TEST(ConnectionLife, BreaksAtOnePlaceAre) {
  ConnectionLife life;
  life.Broke(200'000);
  life.Broke(180'000);
  EXPECT_EQ(life.allowance(), 180'000u);
  life.Broke(150'000);
  EXPECT_EQ(life.allowance(), 150'000u);
}

TEST(ConnectionLife, EndingNeedsRoomToo) {
  ConnectionLife life;
  life.Broke(160'000);
  life.Broke(160'000);
  life.Broke(160'000);
  EXPECT_EQ(life.allowance(), 140'000u);
}

TEST(ConnectionLife, BreaksAnywhereAreNot) {
  ConnectionLife life;
  for (const uint64_t durable : {100'000, 1'000'000, 300'000, 5'000'000}) life.Broke(durable);
  EXPECT_EQ(life.allowance(), ConnectionLife::kUnlimited);
}

TEST(ConnectionLife, NothingIsLearnedFromALinkThatCarriesNothing) {
  ConnectionLife life;
  for (int i = 0; i < 10; ++i) life.Broke(0);
  EXPECT_EQ(life.allowance(), ConnectionLife::kUnlimited);
}

TEST(ConnectionLife, AConnectionMayAlwaysCarrySomething) {
  ConnectionLife life;
  life.Broke(3'000);
  life.Broke(3'000);
  EXPECT_EQ(life.allowance(), 4'096u);
}

TEST(ConnectionLife, ALinkThatBecameBetterIsFoundOut) {
  ConnectionLife life;
  life.Broke(200'000);
  life.Broke(200'000);
  int ended = 0;
  while (life.allowance() != ConnectionLife::kUnlimited && ended < 10'000) {
    life.EndedOnPurpose();
    ++ended;
  }
  EXPECT_GT(ended, 100);
  EXPECT_LT(ended, 1'000);
}

}  // namespace
}  // namespace corefleet

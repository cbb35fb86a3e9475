#include "collector/spool/drop_order.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

using testing::ElementsAre;

// Entries named by their places: the kind of each, in order of arrival.
std::vector<Waiting> Row(const std::vector<std::string>& kinds) {
  std::vector<Waiting> row;
  for (const std::string& kind : kinds) row.push_back({.id = row.size() + 1, .kind = kind, .bytes = 100});
  return row;
}

SpoolTags Panic(const std::string& panic) {
  SpoolTags tags;
  tags.clues.panic = panic;
  return tags;
}

TEST(DropOrderTest, ALoopIsOfOneKind) {
  const std::string kind = KindOf(Panic("BUG: unable to handle page fault for address: ffff8881deadbee0"));
  EXPECT_EQ(KindOf(Panic("BUG: unable to handle page fault for address: 0000000000000010")), kind);
  EXPECT_NE(KindOf(Panic("BUG: unable to handle page fault for address")), kind);
  EXPECT_EQ(KindOf(Panic("oops at foo+0x12/0x80 [cpu 3]")), KindOf(Panic("oops at foo+0x9/0x80 [cpu 11]")));
  EXPECT_NE(KindOf(Panic("Fatal exception in dead_task")), KindOf(Panic("Fatal exception in beef_task")));
  SpoolTags other = Panic("same");
  other.clues.build_id = "ab";
  EXPECT_NE(KindOf(other), KindOf(Panic("same")));
  other = Panic("same");
  other.device = DeviceId("b");
  EXPECT_NE(KindOf(other), KindOf(Panic("same")));
}

TEST(DropOrderTest, AHugePanicMakesNoHugeKind) {
  EXPECT_LE(KindOf(Panic(std::string(100000, '-'))).size(), 200u);
}

TEST(DropOrderTest, TheMiddleOfTheLongestRowGoes) {
  EXPECT_EQ(NextVictim(Row({"a", "b", "b", "b", "b", "a"}), Mercy::kNone, 0), 3u);
  EXPECT_EQ(NextVictim(Row({"a", "b", "b"}), Mercy::kNone, 0), 2u);
  std::vector<Waiting> read = Row({"b", "b", "b", "b", "b"});
  read[2].open = true;
  EXPECT_EQ(NextVictim(read, Mercy::kNone, 0), 1u);
}

TEST(DropOrderTest, TheKindOfWhatComesInCounts) {
  std::vector<Waiting> row = Row({"rare", "loop", "loop"});
  row[2].open = true;  // coming in
  EXPECT_EQ(NextVictim(row, Mercy::kNone, 0), 1u);
}

TEST(DropOrderTest, OfEqualRowsTheHeavierOneGoes) {
  std::vector<Waiting> row = Row({"a", "a", "b", "b"});
  row[3].bytes = 500;
  EXPECT_EQ(NextVictim(row, Mercy::kNone, 0), 3u);
}

TEST(DropOrderTest, TheOnlyOnesOfTheirKinds) {
  std::vector<Waiting> row = Row({"a", "b", "c"});
  EXPECT_EQ(NextVictim(row, Mercy::kSpareRare, 9), std::nullopt);
  EXPECT_EQ(NextVictim(row, Mercy::kNone, 0), 0u);
  row[0].priority = 2;
  EXPECT_EQ(NextVictim(row, Mercy::kNone, 0), 1u);
  row[1].priority = row[2].priority = 2;
  EXPECT_EQ(NextVictim(row, Mercy::kNone, 1), std::nullopt);
  EXPECT_EQ(NextVictim(row, Mercy::kNone, 2), 0u);
  for (Waiting& waiting : row) waiting.open = true;
  EXPECT_EQ(NextVictim(row, Mercy::kNone, 9), std::nullopt);
}

TEST(DropOrderTest, RestsGoBeforeAll) {
  std::vector<Waiting> row = Row({"a", "a", "a", "b", "c"});
  row[4].rest_only = row[3].rest_only = true;
  EXPECT_EQ(NextVictim(row, Mercy::kSpareRare, 0), 3u);
}

TEST(DropOrderTest, SendingTakesTurns) {
  EXPECT_THAT(SendingOrder(Row({"a", "a", "a", "b", "c", "b"})), ElementsAre(0, 3, 4, 1, 5, 2));
  std::vector<Waiting> row = Row({"a", "b", "c", "d"});
  row[2].priority = 1;
  row[0].rest_only = true;
  row[1].waits = true;
  EXPECT_THAT(SendingOrder(row), ElementsAre(2, 3, 0, 1));
  EXPECT_TRUE(SendingOrder({}).empty());
}

SpoolLimits Limits() {
  SpoolLimits limits;
  limits.max_bytes = 1000;
  limits.min_free_bytes = 50;
  limits.min_free_inodes = 5;
  limits.max_entries = 4;
  return limits;
}

SpoolUse UseOf(uint64_t bytes, uint64_t entries, uint64_t free_bytes = 500, uint64_t free_inodes = 100) {
  return {.bytes = bytes, .entries = entries, .free = {free_bytes, free_inodes}};
}

TEST(DropOrderTest, EachLimitIsAnObstacle) {
  EXPECT_EQ(Obstacle(UseOf(900, 3), Limits(), 100, 1), std::nullopt);
  EXPECT_EQ(Obstacle(UseOf(901, 3), Limits(), 100, 1), LossReason::kSpoolBytes);
  EXPECT_EQ(Obstacle(UseOf(900, 4), Limits(), 100, 1), LossReason::kSpoolEntries);
  EXPECT_EQ(Obstacle(UseOf(0, 0, 149), Limits(), 100, 1), LossReason::kSpoolHeadroom);
  EXPECT_EQ(Obstacle(UseOf(0, 0, 150, 5), Limits(), 100, 1), LossReason::kSpoolInodes);
  EXPECT_EQ(Obstacle(UseOf(0, 0, 150, UINT64_MAX), Limits(), 100, 1), std::nullopt);
  EXPECT_EQ(Obstacle(UseOf(0, 0), Limits(), UINT64_MAX, 1), LossReason::kSpoolBytes);
}

TEST(DropOrderTest, NothingGoesForNothing) {
  const std::vector<Waiting> row = Row({"a", "a", "b"});
  // 300 bytes can go; 400 are wanted.
  EXPECT_FALSE(PlanDrops(row, UseOf(1000, 3), Limits(), Mercy::kNone, 0, 400, 1).has_value());
  const auto plan = PlanDrops(row, UseOf(1000, 3), Limits(), Mercy::kNone, 0, 300, 1);
  ASSERT_TRUE(plan.has_value());
  EXPECT_EQ(plan->size(), 3u);
  EXPECT_EQ((*plan)[0].reason, LossReason::kSpoolBytes);
}

TEST(DropOrderTest, NoMoreGoesThanMust) {
  std::vector<Waiting> row = Row({"a", "b", "c"});
  row[1].bytes = 400;
  const auto plan = PlanDrops(row, UseOf(1000, 3), Limits(), Mercy::kNone, 0, 400, 1);
  ASSERT_TRUE(plan.has_value());
  ASSERT_EQ(plan->size(), 1u);
  EXPECT_EQ((*plan)[0].index, 1u);
}

}  // namespace
}  // namespace corefleet

#include "server/ingest/byte_budget.h"

#include <gtest/gtest.h>

namespace corefleet {
namespace {

TEST(ByteBudgetTest, AllOfItWhileTheOthersLeaveAQuarter) {
  ByteBudget budget(1000);
  EXPECT_EQ(budget.PartOf(300, 0), 300u);
  budget.Take(750);
  EXPECT_EQ(budget.PartOf(300, 0), 300u);
  budget.Take(200);
  EXPECT_EQ(budget.PartOf(300, 200), 300u) << "what an owner holds itself does not count against it";
}

TEST(ByteBudgetTest, LessTheLessIsLeft) {
  ByteBudget budget(1000);
  budget.Take(875);
  EXPECT_EQ(budget.PartOf(300, 0), 150u);
  budget.Take(75);
  EXPECT_EQ(budget.PartOf(300, 0), 60u);
  budget.Give(400);
  EXPECT_EQ(budget.PartOf(300, 0), 300u);
}

TEST(ByteBudgetTest, NothingBeyondTheLimit) {
  ByteBudget budget(1000);
  budget.Take(1000);
  EXPECT_EQ(budget.PartOf(300, 0), 0u);
  EXPECT_EQ(budget.PartOf(300, 1000), 0u) << "one alone is bounded too";
}

}  // namespace
}  // namespace corefleet

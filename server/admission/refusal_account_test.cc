#include "server/admission/refusal_account.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/memory/memory_crash_index.h"

namespace corefleet {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(RefusalAccountTest, SaysEverythingAtItsEnd) {
  MemoryCrashIndex index;
  {
    RefusalAccount account(&index, absl::Hours(1));
    account.Count(RefusalReason::kKillSwitch);
    account.Count(RefusalReason::kFleetRate);
    account.Count(RefusalReason::kKillSwitch);
  }
  const auto account = index.Account();
  ASSERT_TRUE(account.ok());
  EXPECT_THAT(account->refused, ElementsAre(ReasonCount{"fleet_rate", 1}, ReasonCount{"kill_switch", 2}));
  EXPECT_EQ(account->offered, 3u);
  EXPECT_EQ(account->Difference(), 0);
}

TEST(RefusalAccountTest, KeepsWhatTheIndexDoesNotTake) {
  MemoryCrashIndex index;
  index.SetStatus(absl::UnavailableError("down"));
  {
    RefusalAccount account(&index, absl::Milliseconds(1));
    account.Count(RefusalReason::kQuota);
    index.SetStatus(absl::OkStatus());
  }
  EXPECT_THAT(index.Account()->refused, ElementsAre(ReasonCount{"quota", 1}));
}

TEST(RefusalAccountTest, NothingToSayIsNoTransaction) {
  MemoryCrashIndex index;
  { RefusalAccount account(&index, absl::Milliseconds(1)); }
  EXPECT_THAT(index.Account()->refused, IsEmpty());
}

}  // namespace
}  // namespace corefleet

#include "server/watchdog/descriptor_limit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>

namespace corefleet {
namespace {

using ::testing::HasSubstr;

TEST(DescriptorLimitTest, TakesTheHardLimit) {
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit lower = {.rlim_cur = 256, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &lower), 0);
  const auto limit = RaiseDescriptorLimit();
  ASSERT_TRUE(limit.ok()) << limit.status();
  rlimit after;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &after), 0);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
  EXPECT_GE(*limit, 128);
}

[[noreturn]] void StartWithFew() {
  const rlimit few = {.rlim_cur = 100, .rlim_max = 100};
  setrlimit(RLIMIT_NOFILE, &few);
  const absl::Status status = RaiseDescriptorLimit().status();
  std::fputs(std::string(status.message()).c_str(), stderr);
  std::exit(absl::IsFailedPrecondition(status) ? 0 : 1);
}

TEST(DescriptorLimitTest, TooFewAreSaid) {
  EXPECT_EXIT(StartWithFew(), testing::ExitedWithCode(0),
              HasSubstr("may open 100 files and connections, and needs 128"));
}

TEST(DescriptorLimitTest, EveryoneHasAPart) {
  for (const int limit : {128, 256, 1024, 4096, 65536, 1 << 20, 1 << 30}) {
    const DescriptorShares shares = ShareDescriptors(limit);
    EXPECT_GE(shares.ingest_below, 64) << limit;
    EXPECT_GE(shares.archive_below, shares.ingest_below + 8) << limit;
    EXPECT_GE(limit, shares.archive_below + 48) << limit;
    EXPECT_GE(shares.ingest_below, limit / 2) << limit;
  }
}

}  // namespace
}  // namespace corefleet

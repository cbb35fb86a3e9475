#include "server/ingest/known_sessions.h"

#include <gtest/gtest.h>

#include <string>

namespace corefleet {
namespace {

TEST(KnownSessionsTest, KnowsACrashOfADevice) {
  KnownSessions known;
  known.Add(DeviceId("a"), CrashUid("1"));
  EXPECT_TRUE(known.Has(DeviceId("a"), CrashUid("1")));
  EXPECT_FALSE(known.Has(DeviceId("a"), CrashUid("2")));
  EXPECT_FALSE(known.Has(DeviceId("b"), CrashUid("1")));
}

TEST(KnownSessionsTest, ForgetsTheOldestWhenThereAreTooMany) {
  KnownSessions known(/*capacity=*/2);
  for (int twice = 0; twice < 2; ++twice) known.Add(DeviceId("a"), CrashUid("1"));
  for (const char* uid : {"2", "3"}) known.Add(DeviceId("a"), CrashUid(uid));
  EXPECT_FALSE(known.Has(DeviceId("a"), CrashUid("1")));
  EXPECT_TRUE(known.Has(DeviceId("a"), CrashUid("2")));
  EXPECT_TRUE(known.Has(DeviceId("a"), CrashUid("3")));
}

}  // namespace
}  // namespace corefleet

#include "server/ingest/begun_sessions.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace corefleet {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'800'000'000);

Session SessionNumber(int number, size_t regions = 1) {
  Session session{.id = SessionId(absl::StrCat(number)), .device = DeviceId("lab-1")};
  session.manifest.regions.resize(regions);
  return session;
}
SessionId Id(int number) { return SessionId(absl::StrCat(number)); }

TEST(BegunSessionsTest, GivesASessionOnce) {
  BegunSessions begun;
  begun.Put(SessionNumber(1), kStart);
  begun.Put(SessionNumber(2), kStart);
  const auto taken = begun.Take(Id(1), kStart);
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(taken->id, Id(1));
  EXPECT_EQ(taken->device, DeviceId("lab-1"));
  EXPECT_FALSE(begun.Take(Id(1), kStart).has_value());
  EXPECT_FALSE(begun.Take(Id(3), kStart).has_value());
  EXPECT_TRUE(begun.Take(Id(2), kStart).has_value());
}

TEST(BegunSessionsTest, ForgetsAfterAWhile) {
  BegunSessions begun(absl::Seconds(10));
  begun.Put(SessionNumber(1), kStart);
  begun.Put(SessionNumber(2), kStart + absl::Seconds(5));
  EXPECT_FALSE(begun.Take(Id(1), kStart + absl::Seconds(10)).has_value());
  EXPECT_TRUE(begun.Take(Id(2), kStart + absl::Seconds(14)).has_value());
}

TEST(BegunSessionsTest, HoldsSoManyRegionsAndTheNewest) {
  BegunSessions begun(absl::Seconds(10), /*max_regions=*/100);
  for (int i = 1; i <= 3; ++i) begun.Put(SessionNumber(i, 40), kStart);
  EXPECT_FALSE(begun.Take(Id(1), kStart).has_value());
  EXPECT_TRUE(begun.Take(Id(3), kStart).has_value());
  // What was taken makes room.
  begun.Put(SessionNumber(4, 60), kStart);
  EXPECT_TRUE(begun.Take(Id(2), kStart).has_value());
  EXPECT_TRUE(begun.Take(Id(4), kStart).has_value());
  begun.Put(SessionNumber(5, 101), kStart);
  EXPECT_FALSE(begun.Take(Id(5), kStart).has_value()) << "one alone may be too large";
}

}  // namespace
}  // namespace corefleet

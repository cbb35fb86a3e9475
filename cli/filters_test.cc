#include "cli/filters.h"

#include "gtest/gtest.h"

namespace corefleet {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1700000000);

TEST(ParseWhen, KnowsAgesAndDates) {
  EXPECT_EQ(*ParseWhen("2h", kNow), kNow - absl::Hours(2));
  EXPECT_EQ(*ParseWhen("3d", kNow), kNow - absl::Hours(72));
  EXPECT_EQ(*ParseWhen("1970-01-02", kNow), absl::FromUnixSeconds(86400));
  EXPECT_EQ(*ParseWhen("1970-01-02T00:00:01", kNow), absl::FromUnixSeconds(86401));
  EXPECT_EQ(*ParseWhen("1970-01-02T01:00:00+01:00", kNow), absl::FromUnixSeconds(86400));
  for (const char* wrong : {"", "yesterday", "2026-13-01", "h"})
    EXPECT_FALSE(ParseWhen(wrong, kNow).ok()) << wrong;
}

absl::StatusOr<v1::CrashFilter> Filter(const std::vector<std::string>& words) {
  return ParseFilter(*ParseArguments(words, FilterOptions()), kNow);
}

TEST(ParseFilter, FillsWhatWasSaid) {
  const v1::CrashFilter filter =
      *Filter({"--build", "4f61", "--taint=wo", "--state", "partial", "--since", "1.5s"});
  EXPECT_EQ(filter.build(), "4f61");
  EXPECT_EQ(filter.taint(), "WO");
  EXPECT_EQ(filter.state(), v1::Crash::PARTIAL);
  EXPECT_EQ(filter.since().seconds(), 1699999998);
  EXPECT_EQ(filter.since().nanos(), 500000000);
  EXPECT_FALSE(filter.has_until());
}

TEST(ParseFilter, RefusesWhatCannotBe) {
  EXPECT_FALSE(Filter({"--state", "BROKEN"}).ok());
  EXPECT_FALSE(Filter({"--state", "STATE_UNSPECIFIED"}).ok());
  EXPECT_FALSE(Filter({"--until", "soon"}).ok());
  EXPECT_FALSE(Filter({"--taint", "W", "--untainted"}).ok());
}

}  // namespace
}  // namespace corefleet

#include "core/crash/ids.h"

#include "gtest/gtest.h"

namespace corefleet {
namespace {

constexpr std::array<uint8_t, 10> kRandom = {0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa, 0x99, 0x88, 0x77, 0x66};

TEST(CrashIdTest, PrintedRandomFirstStoredTimeFirst) {
  const CrashId id = CrashId::Make(absl::FromUnixMillis(0x0123456789ab), kRandom);
  EXPECT_EQ(id.ToUuid(), "01234567-89ab-7fee-9dcc-bbaa99887766");
  EXPECT_EQ(id.ToString(), "ccbbaa998877667fee9d0123456789ab");
  EXPECT_EQ(absl::ToUnixMillis(id.time()), 0x0123456789ab);
}

TEST(CrashIdTest, BothFormsReadBack) {
  const CrashId id = CrashId::Make(absl::FromUnixMillis(1763600000123), kRandom);
  EXPECT_EQ(*CrashId::Parse(id.ToString()), id);
  EXPECT_EQ(*CrashId::FromUuid(id.ToUuid()), id);
}

TEST(CrashIdTest, OrderIsOrderOfArrival) {
  const CrashId early = CrashId::Make(absl::FromUnixMillis(1000), kRandom);
  const CrashId late = CrashId::Make(absl::FromUnixMillis(1001), {});
  EXPECT_LT(early, late);
}

TEST(CrashIdTest, RefusesWhatIsNoId) {
  for (absl::string_view text :
       {"", "abc", "CCBBAA998877667FEE9D0123456789AB", "ccbbaa998877667fee9d0123456789ag"}) {
    EXPECT_FALSE(CrashId::Parse(text).ok()) << text;
  }
  EXPECT_FALSE(CrashId::FromUuid("01234567-89ab-7fee-9dcc").ok());
}

TEST(DeviceIdTest, NamesAreShortAndPrintable) {
  EXPECT_TRUE(ParseDeviceId("edge-0002.plant/7").ok());
  EXPECT_FALSE(ParseDeviceId("").ok());
  EXPECT_FALSE(ParseDeviceId("a b").ok());
  EXPECT_FALSE(ParseDeviceId("a\n").ok());
  EXPECT_FALSE(ParseDeviceId(std::string(129, 'a')).ok());
}

}  // namespace
}  // namespace corefleet

#include "base/log.h"

#include "gtest/gtest.h"

namespace corefleet {
namespace {

TEST(LogTest, PlainValuesStayBare) {
  EXPECT_EQ(FormatLogLine(LogLevel::kInfo, "started", {{"port", "7443"}}),
            "level=info event=started port=7443");
}

TEST(LogTest, HostileValueCannotForgeALine) {
  EXPECT_EQ(FormatLogLine(LogLevel::kError, "refused", {{"device", "a\nlevel=info event=\"fine\""}}),
            "level=error event=refused device=\"a\\nlevel=info event=\\\"fine\\\"\"");
}

TEST(LogTest, EmptyValueIsVisible) {
  EXPECT_EQ(FormatLogLine(LogLevel::kDebug, "x", {{"reason", ""}}), "level=debug event=x reason=\"\"");
}

}  // namespace
}  // namespace corefleet

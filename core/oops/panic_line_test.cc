#include "core/oops/panic_line.h"

#include <gtest/gtest.h>

namespace corefleet {
namespace {

void Say(absl::string_view text, uint8_t facility, KernelLog* log) {
  LogRecord record;
  record.text = std::string(text);
  record.facility = facility;
  log->records.push_back(record);
}

TEST(PanicLineTest, TakesTheKernelsLastOne) {
  KernelLog log;
  Say("Kernel panic - not syncing: first", 0, &log);
  Say("Kernel panic - not syncing: Fatal exception\nmore", 0, &log);
  Say("Kernel panic - not syncing: said by user space", 1, &log);
  Say("---[ end Kernel panic - not syncing: Fatal exception ]---", 0, &log);
  const auto panic = FindPanicLine(log);
  ASSERT_TRUE(panic.has_value());
  EXPECT_EQ(panic->record, 1u);
  EXPECT_EQ(panic->reason, "Fatal exception");
}

TEST(PanicLineTest, ThereMayBeNone) {
  KernelLog log;
  EXPECT_FALSE(FindPanicLine(log).has_value());
  Say("he said: Kernel panic - not syncing: no", 0, &log);
  EXPECT_FALSE(FindPanicLine(log).has_value());
}

TEST(PanicLineTest, TellsCauseFromConsequence) {
  EXPECT_TRUE(IsConsequence("Oops - BUG: Fatal exception"));
  EXPECT_TRUE(IsConsequence("kernel: panic_on_warn set ..."));
  EXPECT_TRUE(IsConsequence("softlockup: hung tasks"));
  EXPECT_FALSE(IsConsequence("sysrq triggered crash"));
  EXPECT_FALSE(IsConsequence("Out of memory: system-wide panic_on_oom is enabled"));
}

}  // namespace
}  // namespace corefleet

#include <gtest/gtest.h>

#include "core/printk/kernel_log.h"

namespace corefleet {
namespace {

LogRecord Record(uint64_t seq, absl::string_view text, uint8_t flags = 2) {
  LogRecord record;
  record.seq = seq;
  record.ts_nsec = seq * 1000000999;
  record.flags = flags;
  record.text = std::string(text);
  return record;
}

KernelLog Log(std::vector<LogRecord> records) {
  KernelLog log;
  log.records = std::move(records);
  return log;
}

TEST(RenderTest, EveryLineOfARecordHasItsStamp) {
  const KernelLog log = Log({Record(0, "first"), Record(1, "two\nlines"), Record(2, "")});
  const char expected[] = "[    0.000000] first\n[    1.000000] two\n[    1.000000] lines\n[    2.000001] \n";
  EXPECT_EQ(RenderRaw(log), expected);
  EXPECT_EQ(RenderText(log), expected);
}

TEST(RenderTest, LargeStampsGrow) {
  LogRecord record = Record(0, "x");
  record.ts_nsec = 1234567 * uint64_t{1000000000} + 999999999;
  EXPECT_EQ(RenderRaw(Log({record})), "[1234567.999999] x\n");
}

TEST(RenderTest, RawBytesStayAndATerminalIsSpared) {
  const KernelLog log = Log({Record(0, "tab\t\x1b[31m\xff \xc3\xbc")});
  EXPECT_EQ(RenderRaw(log), "[    0.000000] tab\t\x1b[31m\xff \xc3\xbc\n");
  EXPECT_EQ(RenderText(log), "[    0.000000] tab\t\\x1b[31m\\xff \xc3\xbc\n");
}

TEST(RenderTest, GapsAreTold) {
  LogRecord lost = Record(6, "");
  lost.text_state = TextState::kLost;
  LogRecord cut = Record(7, "cut");
  cut.text_state = TextState::kTruncated;
  LogRecord torn = Record(8, "half");
  torn.text_state = TextState::kIncomplete;
  const KernelLog log = Log({Record(2, "a"), Record(3, "b"), Record(5, "c"), lost, cut, torn});
  EXPECT_EQ(RenderText(log),
            "<2 records lost>\n[    2.000001] a\n[    3.000002] b\n<1 record lost>\n[    5.000004] c\n"
            "<1 record without text>\n[    7.000006] cut\n<the text of the record above is cut short>\n"
            "[    8.000007] half\n<the record above was being written>\n");
  EXPECT_EQ(RenderRaw(log), "[    2.000001] a\n[    3.000002] b\n[    5.000004] c\n[    7.000006] cut\n");
}

TEST(RenderTest, AContinuationJoinsItsCallersOpenLine) {
  LogRecord other = Record(1, "somebody else");
  other.caller_id = 7;
  const KernelLog log =
      Log({Record(0, "open", 0), other, Record(2, " and closed", 10), Record(3, "alone", 8)});
  EXPECT_EQ(RenderText(log),
            "[    0.000000] open and closed\n[    1.000000] somebody else\n[    3.000002] alone\n");
  // The kernel itself prints it as a line of its own.
  EXPECT_NE(RenderRaw(log).find("[    2.000001]  and closed\n"), std::string::npos);
}

TEST(RenderTest, CallersHaveNames) {
  EXPECT_EQ(CallerName(812), "T812");
  EXPECT_EQ(CallerName(0x80000003), "C3");
}

}  // namespace
}  // namespace corefleet

#include "core/printk/text_log.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace corefleet {
namespace {

// Lines number `first` to `last`, as a console has them.
std::string Lines(int first, int last, absl::string_view words = "line") {
  std::string text;
  for (int i = first; i <= last; ++i) absl::StrAppendFormat(&text, "[%5d.%06d] %s %d\n", i, i * 7, words, i);
  return text;
}

std::vector<std::string> Texts(const KernelLog& log) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < log.records.size(); ++i) {
    EXPECT_EQ(log.records[i].seq, i);
    texts.push_back(log.records[i].text);
  }
  return texts;
}

std::vector<std::string> Numbered(int first, int last) {
  std::vector<std::string> texts;
  for (int i = first; i <= last; ++i) texts.push_back(absl::StrCat("line ", i));
  return texts;
}

TEST(TextLogTest, TheBestTextIsTheLog) {
  const KernelLog log = ReadTextLog({{KernelText::Kind::kPanic, "Panic#1", Lines(5, 9)},
                                     {KernelText::Kind::kConsole, "console", Lines(1, 3, "other boot")}});
  EXPECT_EQ(Texts(log), Numbered(5, 9));
  EXPECT_EQ(log.facts.method, "text");
  EXPECT_EQ(log.facts.records, 5u);
}

TEST(TextLogTest, OtherTextsAddWhatTheyHaveBeforeAndAfter) {
  const KernelLog log = ReadTextLog({{KernelText::Kind::kPanic, "Panic#1", Lines(5, 9)},
                                     {KernelText::Kind::kOops, "Oops#1", Lines(3, 7)},
                                     {KernelText::Kind::kConsole, "console", Lines(1, 12)}});
  EXPECT_EQ(Texts(log), Numbered(1, 12));
  EXPECT_EQ(log.facts.records, 12u);
  EXPECT_EQ(log.facts.last_seq, 11u);
  EXPECT_EQ(log.facts.last_ts_nsec, 12000084000u);
}

TEST(TextLogTest, ACutFirstLineGivesWayToTheWholeOne) {
  const KernelLog log = ReadTextLog({{KernelText::Kind::kPanic, "Panic#1", Lines(5, 9).substr(10)},
                                     {KernelText::Kind::kConsole, "console", Lines(1, 9)}});
  EXPECT_EQ(Texts(log), Numbered(1, 9));
}

TEST(TextLogTest, ATextOfAnotherBootAddsNothing) {
  const std::string boot = "[    0.000000] Linux version 6.1\n";
  const KernelLog log =
      ReadTextLog({{KernelText::Kind::kPanic, "Panic#1", absl::StrCat(boot, Lines(5, 9))},
                   {KernelText::Kind::kConsole, "console", absl::StrCat("[    0.000000] before\n", boot)}});
  EXPECT_EQ(log.records.size(), 6u);
}

TEST(TextLogTest, UserSpaceTextIsNoKernelLog) {
  EXPECT_TRUE(ReadTextLog({{KernelText::Kind::kPmsg, "pmsg", Lines(1, 9)}}).records.empty());
  EXPECT_TRUE(ReadTextLog({}).records.empty());
}

}  // namespace
}  // namespace corefleet

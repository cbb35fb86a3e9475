#include "core/printk/log_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/printk/log_line.h"
#include "tests/support/corpus.h"

namespace corefleet {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr uint64_t kSecond = 1000000000;

std::vector<std::string> Texts(const KernelLog& log) {
  std::vector<std::string> texts;
  for (const LogRecord& record : log.records) texts.push_back(record.text);
  return texts;
}

TEST(ParseLogLine, TakesLevelStampAndCaller) {
  const LogLine line = ParseLogLine("<4>[   12.345678][  T812] Oops: 0000");
  EXPECT_EQ(line.kind, LogLine::Kind::kRecord);
  EXPECT_EQ(line.level, 4);
  EXPECT_EQ(line.facility, 0);
  EXPECT_EQ(line.ts_nsec, 12345678000u);
  EXPECT_EQ(line.caller_id, 812u);
  EXPECT_EQ(line.text, "Oops: 0000");
  EXPECT_EQ(ParseLogLine("[    0.000000][    C3] x").caller_id, 0x80000003u);
  EXPECT_EQ(ParseLogLine("[    0.000000] [T123456] x").caller_id, 123456u);
  EXPECT_EQ(ParseLogLine("<30>systemd").facility, 3);
  EXPECT_EQ(ParseLogLine("<30>systemd").level, 6);
}

TEST(ParseLogLine, LeavesTheTextsOwnBracketsAndIndentation) {
  EXPECT_EQ(ParseLogLine("[    1.000000]  [<ffffffff81000000>] f").text, " [<ffffffff81000000>] f");
  EXPECT_EQ(ParseLogLine("[    1.000000] [C1] f").text, "[C1] f");
  EXPECT_EQ(ParseLogLine("[    1.000000] ").text, "");
  EXPECT_EQ(ParseLogLine("[    1.000000] Booting kernel: `x' invalid").text, "Booting kernel: `x' invalid");
}

TEST(ParseLogLine, TakesWhatOtherProgramsMakeOfALine) {
  const LogLine rsyslog = ParseLogLine("Nov 23 05:50:33 host kernel: [    5.000001] text");
  EXPECT_EQ(rsyslog.ts_nsec, 5000001000u);
  EXPECT_EQ(rsyslog.text, "text");
  EXPECT_EQ(ParseLogLine("2026-11-23T05:50:33.123+00:00 host kernel: text: more").text, "text: more");
  EXPECT_EQ(ParseLogLine("Nov 23 05:50:33 host systemd[1]: Started").kind, LogLine::Kind::kForeign);
  const LogLine words = ParseLogLine("kern  :err   : [    7.000000] text");
  EXPECT_EQ(words.level, 3);
  EXPECT_EQ(words.ts_nsec, 7 * kSecond);
  EXPECT_EQ(ParseLogLine("[Mon Nov 23 05:50:33 2026] text").text, "text");
  const LogLine device = ParseLogLine("6,339,5140900,-,caller=T1;text;more");
  EXPECT_EQ(device.ts_nsec, 5140900000u);
  EXPECT_EQ(device.text, "text;more");
}

TEST(ParseLogLine, TakesNothingElse) {
  for (const char* line :
       {"", "<", "<>", "<6", "<999>x", "[", "[]", "[1.0]", "[    1.00000] five digits",
        "[    1.0000000] seven", "[99999999999.000000] x", "[ 1 .000000]", "1,2", "1,2,3", "1,2,3,",
        "Nov 23 05:50:33", "2026-11-23T05:50:33", "kern  :what  : x", "kern  :info  :"}) {
    EXPECT_EQ(ParseLogLine(line).kind, LogLine::Kind::kPlain) << line;
    EXPECT_EQ(ParseLogLine(line).text, line);
  }
}

TEST(ParseLogText, GivesBackEveryRealLogByteForByte) {
  for (const CorpusCase& crash : ReadCorpus()) {
    const std::string& dmesg = crash.file("dmesg.txt");
    const KernelLog log = ParseLogText(dmesg);
    EXPECT_EQ(RenderRaw(log), dmesg) << crash.name;
    EXPECT_THAT(log.defects, IsEmpty()) << crash.name;
    EXPECT_EQ(log.facts.method, "text");
    EXPECT_EQ(log.facts.records, log.records.size());
    EXPECT_TRUE(LooksLikeKernelLog("x", BytesOf(dmesg).subspan(0, 65536))) << crash.name;
  }
}

TEST(ParseLogText, ReadsRealLogsThroughWhatHappensToThem) {
  const CorpusCase crash = ReadCorpusCase("a47-null-oops");
  const std::string& dmesg = crash.file("dmesg.txt");
  const std::string with_levels = absl::StrCat("<6>", absl::StrReplaceAll(dmesg, {{"\n[", "\n<6>["}}));
  EXPECT_EQ(RenderRaw(ParseLogText(with_levels)), dmesg);
  EXPECT_EQ(RenderRaw(ParseLogText(absl::StrReplaceAll(dmesg, {{"\n", "\r\n"}}))), dmesg);
  EXPECT_EQ(
      RenderRaw(ParseLogText(absl::StrReplaceAll(dmesg, {{"[    ", "\x1b[32m[    "}, {"] ", "]\x1b[0m "}}))),
      dmesg);
  EXPECT_EQ(RenderRaw(ParseLogText(absl::StrReplaceAll(dmesg, {{"\n", std::string("\n\0\0\0", 4)}}))), dmesg);
  EXPECT_EQ(RenderRaw(ParseLogText(dmesg.substr(0, dmesg.size() - 1))), dmesg);
}

TEST(ParseLogText, NumbersRecordsFromNought) {
  const KernelLog log = ParseLogText("[    0.000000] a\n[    1.500000] b\n");
  ASSERT_THAT(log.records, SizeIs(2));
  EXPECT_EQ(log.records[0].seq, 0u);
  EXPECT_EQ(log.records[1].seq, 1u);
  EXPECT_EQ(log.records[1].ts_nsec, 1500000000u);
  EXPECT_EQ(log.facts.last_seq, 1u);
  EXPECT_EQ(log.facts.last_ts_nsec, 1500000000u);
  EXPECT_EQ(log.facts.lost, 0u);
}

TEST(ParseLogText, LinesWithoutAStampContinueTheRecordBefore) {
  EXPECT_THAT(Texts(ParseLogText("[    1.000000] a\n  more\n\nlast\n[    2.000000] b\n")),
              ElementsAre("a\n  more\nlast", "b"));
}

TEST(ParseLogText, WithoutAnyStampEveryLineIsARecord) {
  const KernelLog log = ParseLogText("Linux version 2.6.32\nCall Trace:\n f+0x1/0x2\n");
  EXPECT_THAT(Texts(log), ElementsAre("Linux version 2.6.32", "Call Trace:", " f+0x1/0x2"));
  EXPECT_EQ(log.records[0].facility, 0);
}

TEST(ParseLogText, LevelsAloneMakeRecords) {
  const KernelLog log = ParseLogText("<0>Kernel panic - not syncing: x\n<6>b\n");
  EXPECT_THAT(Texts(log), ElementsAre("Kernel panic - not syncing: x", "b"));
  EXPECT_EQ(log.records[1].level, 6);
  EXPECT_EQ(log.records[0].text_state, TextState::kWhole);
}

TEST(ParseLogText, WhatStandsBeforeTheFirstStampIsNotTheKernels) {
  const KernelLog log = ParseLogText("U-Boot 2023\nNov 23 05:50:33 h sshd[1]: no\n[    0.000000] Linux\n");
  EXPECT_THAT(Texts(log), ElementsAre("U-Boot 2023", "Linux"));
  EXPECT_NE(log.records[0].facility, 0);
  EXPECT_EQ(log.records[1].facility, 0);
}

TEST(ParseLogText, FindsAStampBehindAPrompt) {
  EXPECT_THAT(Texts(ParseLogText("[    1.000000] a\ndebian login: [  100.000001] sysrq: Trigger a crash\n")),
              ElementsAre("a", "sysrq: Trigger a crash"));
}

TEST(ParseLogText, LeavesGarbageOutAndSaysSo) {
  const std::string garbage = "\x01\x02\x80\x90\xff\xfe\x03 a";
  const KernelLog log = ParseLogText(absl::StrCat("[    1.000000] a\n", garbage, "\n[    2.000000] b\n"));
  EXPECT_THAT(Texts(log), ElementsAre("a", "b"));
  ASSERT_THAT(log.defects, SizeIs(1));
  EXPECT_EQ(log.defects[0].code, DefectCode::kLogDamaged);
}

TEST(ParseLogText, MarksOfMissingPartsAreShownToPeopleOnly) {
  const KernelLog log =
      ParseLogText("[    1.000000] a\n<part 2 of this record is missing>\n[    9.000000] b\n");
  EXPECT_THAT(Texts(log), ElementsAre("a", "<part 2 of this record is missing>", "b"));
  EXPECT_EQ(log.facts.text_lost, 1u);
  EXPECT_EQ(RenderRaw(log), "[    1.000000] a\n[    9.000000] b\n");
  EXPECT_EQ(RenderText(log), "[    1.000000] a\n<part 2 of this record is missing>\n[    9.000000] b\n");
}

TEST(ParseLogText, CutsALineThatNoRecordCanHold) {
  const KernelLog log = ParseLogText(absl::StrCat("[    1.000000] ", std::string(200000, 'a'), "\n"));
  ASSERT_THAT(log.records, SizeIs(1));
  EXPECT_EQ(log.records[0].text.size(), 65535u);
  EXPECT_EQ(log.records[0].text_state, TextState::kTruncated);
}

TEST(ParseLogText, BoundsRecordsAndKeepsTheLast) {
  std::string text;
  for (int i = 0; i < 300000; ++i) absl::StrAppend(&text, "<6>", i, "\n");
  const KernelLog log = ParseLogText(text);
  EXPECT_EQ(log.records.size(), size_t{1} << 18);
  EXPECT_EQ(log.records.back().text, "299999");
  ASSERT_THAT(log.defects, SizeIs(1));
  EXPECT_EQ(log.defects[0].code, DefectCode::kLogGap);
}

TEST(ParseLogText, UptimeCountsFromTheLastStart) {
  EXPECT_EQ(ParseLogText("[    0.000000] a\n[  900.000000] b\n[    0.000000] a\n[    3.000000] b\n")
                .facts.last_ts_nsec,
            3 * kSecond);
}

TEST(ParseLogText, OfNothingIsNothing) {
  EXPECT_THAT(ParseLogText("").records, IsEmpty());
  EXPECT_EQ(ParseLogText("").facts.method, "");
  EXPECT_THAT(ParseLogText("\n\n\r\n").records, IsEmpty());
}

TEST(LooksLikeKernelLog, WantsStampsOrKernelWords) {
  EXPECT_TRUE(LooksLikeKernelLog("x", BytesOf("[    0.000000] a\n[    0.000000] b\n[    0.000000] c\n")));
  EXPECT_TRUE(LooksLikeKernelLog("x", BytesOf("<6>Linux\n<6>b\n<6>c\nd\ne\nf\n")));
  EXPECT_TRUE(LooksLikeKernelLog("x", BytesOf("a\nKernel panic - not syncing: b\nc\nd\ne\nf\ng")));
  EXPECT_FALSE(LooksLikeKernelLog("x", BytesOf("")));
  EXPECT_FALSE(LooksLikeKernelLog("dmesg.txt", BytesOf("hello\n")));
  EXPECT_FALSE(LooksLikeKernelLog("x", BytesOf("{\"log\": \"[    0.000000] a\"}\nb\nc\nd\ne\nf\ng\n")));
  std::string memory(4096, '\xfe');
  memory += "\n[    0.000000] a\n[    0.000000] b\n[    0.000000] c\n";
  EXPECT_FALSE(LooksLikeKernelLog("md_x.BIN", BytesOf(memory)));
  EXPECT_TRUE(LooksLikeKernelLog("console.log", BytesOf(memory)));
}

TEST(LooksLikeKernelLog, IsFalseForMemoryOfRealCrashes) {
  const CorpusCase crash = ReadCorpusCase("a47-null-oops");
  for (const auto& [name, bytes] : crash.files) {
    if (name.substr(0, 3) != "md_") continue;
    EXPECT_FALSE(LooksLikeKernelLog(name, BytesOf(bytes).subspan(0, 65536))) << name;
  }
}

TEST(UnpackLogTexts, TakesTheEndOfALongFile) {
  const auto bytes = std::make_shared<MemorySource>(
      absl::StrCat(std::string(kMaxLogTextBytes, 'x'), "\n[    1.000000] end\n"));
  Pieces pieces;
  UnpackLogTexts({{.file_name = "vmcore-dmesg.txt", .bytes = bytes}}, nullptr, &pieces);
  ASSERT_THAT(pieces.texts, SizeIs(1));
  EXPECT_EQ(pieces.texts[0].text.size(), kMaxLogTextBytes);
  EXPECT_EQ(pieces.texts[0].kind, KernelText::Kind::kOtherDump);
  EXPECT_EQ(pieces.texts[0].text.substr(pieces.texts[0].text.size() - 4), "end\n");
  ASSERT_THAT(pieces.defects, SizeIs(1));
  EXPECT_EQ(pieces.defects[0].code, DefectCode::kLogGap);
}

}  // namespace
}  // namespace corefleet

#include "proto/convert/facts_to_proto.h"

#include <string>

#include "gtest/gtest.h"

namespace corefleet {
namespace {

TEST(FactsToProto, SaysWhereEachFactCameFrom) {
  CrashFacts facts;
  facts.state = CrashState::kPartial;
  facts.release = {"6.1.0-47", Provenance::kSymbol};
  facts.kaslr_offset = {0x35a00000, Provenance::kVmcoreinfo};
  facts.cpus.online = {{0, 3}, Provenance::kRegionId};
  v1::Crash crash;
  FactsToProto(facts, Detail::kEverything, &crash);
  EXPECT_EQ(crash.state(), v1::Crash::PARTIAL);
  EXPECT_EQ(crash.kernel().release(), "6.1.0-47");
  EXPECT_EQ(crash.kernel().kaslr_offset(), 0x35a00000u);
  EXPECT_EQ(crash.cpus().online(1), 3u);
  EXPECT_EQ(crash.sources().at("kernel.release"), "symbol");
  EXPECT_EQ(crash.sources().at("kernel.kaslr_offset"), "vmcoreinfo");
  EXPECT_EQ(crash.sources().at("cpus.online"), "region-id");
  EXPECT_EQ(crash.sources().size(), 3u);
}

TEST(FactsToProto, UntaintedIsNotTheSameAsUnknown) {
  CrashFacts facts;
  v1::Crash unknown;
  FactsToProto(facts, Detail::kEverything, &unknown);
  EXPECT_FALSE(unknown.taint().known());
  facts.taint.mask = {0, Provenance::kSymbol};
  v1::Crash clean;
  FactsToProto(facts, Detail::kEverything, &clean);
  EXPECT_TRUE(clean.taint().known());
  EXPECT_EQ(clean.taint().letters(), "");
}

TEST(FactsToProto, SaysWhatEachTaintBitMeansWithTheKernelsOwnLetters) {
  CrashFacts facts;
  facts.taint.mask = {(1 << 7) | (1 << 12), Provenance::kSymbol};
  facts.taint.letters = "DX";  // A distribution that calls bit 12 X.
  v1::Crash crash;
  FactsToProto(facts, Detail::kEverything, &crash);
  ASSERT_EQ(crash.taint().flags_size(), 2);
  EXPECT_EQ(crash.taint().flags(0).bit(), 7u);
  EXPECT_EQ(crash.taint().flags(1).letter(), "X");
  EXPECT_EQ(crash.taint().flags(1).name(), "OOT_MODULE");
}

TEST(FactsToProto, LettersThatAreNoTextLeaveEscaped) {
  CrashFacts facts;
  facts.taint.mask = {1 << 7, Provenance::kSymbol};
  facts.taint.letters = "\xff";
  v1::Crash crash;
  FactsToProto(facts, Detail::kEverything, &crash);
  EXPECT_EQ(crash.taint().letters(), "\\xff");
  EXPECT_EQ(crash.taint().flags(0).letter(), "\\xff");
}

TEST(FactsToProto, ASummaryLeavesOutRegionsAndDefects) {
  CrashFacts facts;
  facts.release = {"6.1.0", Provenance::kSymbol};
  facts.regions.emplace_back();
  facts.defects.push_back({.code = DefectCode::kLogGap});
  v1::Crash crash;
  FactsToProto(facts, Detail::kSummary, &crash);
  EXPECT_EQ(crash.regions_size() + crash.defects_size(), 0);
  EXPECT_EQ(crash.kernel().release(), "6.1.0");
}

TEST(FactsToProto, EveryStateHasItsTwin) {
  for (int i = 0; i <= 4; ++i) {
    const auto state = static_cast<CrashState>(i);
    EXPECT_EQ(v1::Crash::State_Name(StateToProto(state)), std::string(CrashStateName(state)));
  }
  for (int i = 0; i <= 5; ++i) {
    RegionFacts region;
    region.state = static_cast<RegionState>(i);
    EXPECT_EQ(v1::Region::State_Name(RegionToProto(region).state()),
              std::string(RegionStateName(region.state)));
  }
}

LogRecord Record(uint64_t seq, std::string text) {
  LogRecord record;
  record.seq = seq;
  record.ts_nsec = seq * 1000;
  record.level = 4;
  record.caller_id = 0x80000003;
  record.text = std::move(text);
  return record;
}

TEST(LogRecords, ComeBackByteForByte) {
  KernelLog log;
  log.records = {Record(1, "plain"), Record(2, "raw \xff\x80 bytes"), Record(3, "a literal \\xff"),
                 Record(4, "")};
  log.records[2].text_state = TextState::kTruncated;
  log.records[3].text_state = TextState::kLost;
  log.records[3].caller_id = 812;
  v1::GetLogResponse answer;
  for (const LogRecord& record : log.records) AppendRecord(record, &answer);
  EXPECT_EQ(answer.records(0).caller(), "C3");
  EXPECT_EQ(answer.records(2).text_state(), "truncated");
  EXPECT_EQ(answer.records(1).text(), "raw \\xff\\x80 bytes");
  KernelLog back;
  AppendRecords(answer, &back);
  ASSERT_EQ(back.records.size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(back.records[i].text, log.records[i].text);
    EXPECT_EQ(back.records[i].seq, log.records[i].seq);
    EXPECT_EQ(back.records[i].caller_id, log.records[i].caller_id);
    EXPECT_EQ(back.records[i].text_state, log.records[i].text_state);
  }
}

TEST(LogRecords, CarryNoRawTextsUnlessNeeded) {
  v1::GetLogResponse answer;
  AppendRecord(Record(1, "plain"), &answer);
  AppendRecord(Record(2, "grüße"), &answer);
  EXPECT_EQ(answer.raw_texts_size(), 0);
}

TEST(LogRecords, TakeAStrangeServersAnswer) {
  v1::GetLogResponse answer;
  v1::LogRecord* record = answer.add_records();
  record->set_level(4000000000u);
  record->set_caller("C");
  record->set_text_state("from-the-future");
  KernelLog log;
  AppendRecords(answer, &log);
  ASSERT_EQ(log.records.size(), 1u);
  EXPECT_EQ(log.records[0].level, 7);
  EXPECT_EQ(log.records[0].caller_id, 0u);
  EXPECT_EQ(log.records[0].text_state, TextState::kIncomplete);
}

}  // namespace
}  // namespace corefleet

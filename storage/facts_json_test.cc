#include "storage/facts_json.h"

#include <gtest/gtest.h>

#include <limits>

namespace corefleet {
namespace {

// Every field set, and no two alike, so that a swapped or forgotten one shows.
CrashFacts FullFacts() {
  CrashFacts facts;
  facts.analyzer_version = 3;
  facts.state = CrashState::kPartial;
  facts.release = {{"6.1.0", Provenance::kSymbol}};
  facts.version = {{"#1 SMP \"quoted\" \\ ünï", Provenance::kVmcoreinfo}};
  facts.banner = {{"Linux version", Provenance::kRegionId}};
  facts.build_id = {{"abcd", Provenance::kAnchor}};
  facts.arch = {{"aarch64", Provenance::kElfHeader}};
  facts.git_commit = {{"deadbeef", Provenance::kLogText}};
  facts.config_sha256 = {{"0123", Provenance::kDerived}};
  facts.page_size = {{4096, Provenance::kVmcoreinfo}};
  facts.kaslr_offset = {{UINT64_MAX, Provenance::kVmcoreinfo}};
  facts.command_line = {{"root=/dev/vda", Provenance::kElfHeader}};
  facts.panic_reason = {{"sysrq triggered crash", Provenance::kLogText}};
  facts.uptime_seconds = {{12.0625, Provenance::kDerived}};
  facts.taint.mask = {{uint64_t{1} << 63 | 0x201, Provenance::kSymbol}};
  facts.taint.before_mask = {{1, Provenance::kLogText}};
  facts.taint.letters = "PW";
  facts.cpus.possible = {{{0, 1, 2, 3}, Provenance::kSymbol}};
  facts.cpus.present = {{{0, 1, 2}, Provenance::kRegionId}};
  facts.cpus.online = {{{0, 1}, Provenance::kRegionId}};
  facts.cpus.active = {{{}, Provenance::kRegionId}};
  facts.log = {.records = 1,
               .text_lost = 2,
               .lost = 3,
               .first_seq = 4,
               .last_seq = 5,
               .last_ts_nsec = 6,
               .method = "ring"};
  facts.series = "meminspect v3";
  facts.source = "rawdump";
  facts.abilities = {{Ability::Kind::kPerCpu, Ability::Answer::kPartly, "6 of 8"}};
  facts.regions = {{.name = "Kprb_info",
                    .file_name = "md_Kprb_info.BIN",
                    .id = 24,
                    .paddr = 0x80000000,
                    .vaddr = 0xffff800000000000,
                    .size = 96,
                    .received = 95,
                    .state = RegionState::kTruncated,
                    .sha256 = "ff",
                    .index = 7},
                   {.size = 1, .state = RegionState::kMissing}};
  facts.defects = {{DefectCode::kRegionTruncated, "Kprb_info 24", "one byte short"},
                   {DefectCode::kFactImplausible, "", "uptime"}};
  return facts;
}

TEST(FactsJsonTest, EveryFieldComesBack) {
  const std::string json = EncodeFacts(FullFacts(), FactsDetail::kAll);
  const auto back = DecodeFacts(json);
  ASSERT_TRUE(back.ok()) << back.status() << json;
  EXPECT_EQ(EncodeFacts(*back, FactsDetail::kAll), json);
  EXPECT_EQ(back->analyzer_version, 3u);
  EXPECT_EQ(back->state, CrashState::kPartial);
  EXPECT_EQ(back->release->value, "6.1.0");
  EXPECT_EQ(back->release->from, Provenance::kSymbol);
  EXPECT_EQ(back->version->value, "#1 SMP \"quoted\" \\ ünï");
  EXPECT_EQ(back->banner->from, Provenance::kRegionId);
  EXPECT_EQ(back->build_id->from, Provenance::kAnchor);
  EXPECT_EQ(back->arch->value, "aarch64");
  EXPECT_EQ(back->git_commit->value, "deadbeef");
  EXPECT_EQ(back->config_sha256->from, Provenance::kDerived);
  EXPECT_EQ(back->page_size->value, 4096u);
  EXPECT_EQ(back->kaslr_offset->value, UINT64_MAX);
  EXPECT_EQ(back->command_line->value, "root=/dev/vda");
  EXPECT_EQ(back->panic_reason->value, "sysrq triggered crash");
  EXPECT_EQ(back->uptime_seconds->value, 12.0625);
  EXPECT_EQ(back->taint.mask->value, uint64_t{1} << 63 | 0x201);
  EXPECT_EQ(back->taint.before_mask->value, 1u);
  EXPECT_EQ(back->taint.letters, "PW");
  EXPECT_EQ(back->cpus.possible->value, (std::vector<uint32_t>{0, 1, 2, 3}));
  EXPECT_EQ(back->cpus.present->value.size(), 3u);
  EXPECT_EQ(back->cpus.online->value.size(), 2u);
  ASSERT_TRUE(back->cpus.active.has_value());
  EXPECT_TRUE(back->cpus.active->value.empty());
  EXPECT_EQ(back->log.records, 1u);
  EXPECT_EQ(back->log.text_lost, 2u);
  EXPECT_EQ(back->log.lost, 3u);
  EXPECT_EQ(back->log.first_seq, 4u);
  EXPECT_EQ(back->log.last_seq, 5u);
  EXPECT_EQ(back->log.last_ts_nsec, 6u);
  EXPECT_EQ(back->log.method, "ring");
  EXPECT_EQ(back->series, "meminspect v3");
  EXPECT_EQ(back->source, "rawdump");
  EXPECT_EQ(back->abilities, FullFacts().abilities);
}

TEST(FactsJsonTest, RegionsAndDefectsComeBack) {
  const auto back = DecodeFacts(EncodeFacts(FullFacts(), FactsDetail::kAll));
  ASSERT_TRUE(back.ok());
  ASSERT_EQ(back->regions.size(), 2u);
  const RegionFacts& region = back->regions[0];
  EXPECT_EQ(region.name, "Kprb_info");
  EXPECT_EQ(region.file_name, "md_Kprb_info.BIN");
  EXPECT_EQ(region.id, 24u);
  EXPECT_EQ(region.paddr, 0x80000000u);
  EXPECT_EQ(region.vaddr, 0xffff800000000000u);
  EXPECT_EQ(region.size, 96u);
  EXPECT_EQ(region.received, 95u);
  EXPECT_EQ(region.state, RegionState::kTruncated);
  EXPECT_EQ(region.sha256, "ff");
  EXPECT_EQ(region.index, 7u);
  EXPECT_FALSE(back->regions[1].id || back->regions[1].paddr || back->regions[1].index);
  ASSERT_EQ(back->defects.size(), 2u);
  EXPECT_EQ(back->defects[0].code, DefectCode::kRegionTruncated);
  EXPECT_EQ(back->defects[0].region, "Kprb_info 24");
  EXPECT_EQ(back->defects[0].detail, "one byte short");
  EXPECT_EQ(back->defects[1].code, DefectCode::kFactImplausible);
}

TEST(FactsJsonTest, ASummaryLeavesTheLongListsOut) {
  const auto back = DecodeFacts(EncodeFacts(FullFacts(), FactsDetail::kSummary));
  ASSERT_TRUE(back.ok());
  EXPECT_TRUE(back->regions.empty());
  EXPECT_TRUE(back->defects.empty());
  EXPECT_EQ(back->series, "meminspect v3");
}

TEST(FactsJsonTest, AnAbilityOfANewerVersionIsSkipped) {
  const auto back = DecodeFacts(
      R"({"abilities":[{"kind":"teleport","answer":"yes"},{"kind":"log","answer":"no","detail":"x"}]})");
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->abilities, (std::vector<Ability>{{Ability::Kind::kLog, Ability::Answer::kNo, "x"}}));
}

TEST(FactsJsonTest, NoFactsAreFactsToo) {
  const auto back = DecodeFacts(EncodeFacts({}, FactsDetail::kAll));
  ASSERT_TRUE(back.ok());
  EXPECT_FALSE(back->release || back->taint.mask || back->uptime_seconds);
}

TEST(FactsJsonTest, WhatJsonCannotHoldDoesNotBreakIt) {
  CrashFacts facts;
  facts.series = std::string("a\0b\xff", 4);
  facts.uptime_seconds = {{std::numeric_limits<double>::infinity(), Provenance::kDerived}};
  const std::string json = EncodeFacts(facts, FactsDetail::kAll);
  EXPECT_EQ(json.find("u0000"), std::string::npos);
  EXPECT_EQ(json.find('\xff'), std::string::npos);
  const auto back = DecodeFacts(json);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->series, "a\\x00b\xef\xbf\xbd");
  EXPECT_FALSE(back->uptime_seconds.has_value());
}

TEST(FactsJsonTest, ANewerVersionsFieldsAndCodesAreLeftOut) {
  const auto back = DecodeFacts(
      R"({"series":"x","colour":"red","defects":[{"code":"FROM_THE_FUTURE"},{"code":"LOG_GAP","detail":"3"}]})");
  ASSERT_TRUE(back.ok()) << back.status();
  ASSERT_EQ(back->defects.size(), 1u);
  EXPECT_EQ(back->defects[0].code, DefectCode::kLogGap);
}

TEST(FactsJsonTest, WhatIsNoFactsIsDataLoss) {
  for (const char* json :
       {"", "{", "[]", "null", "7", R"({"series":7})", R"({"state":9})", R"({"state":-1})",
        R"({"analyzer_version":4294967296})", R"({"release":"x"})", R"({"regions":{}})", R"({"regions":[7]})",
        R"({"taint":[]})", R"({"release":{"value":"x","from":"nowhere"}})"}) {
    EXPECT_EQ(DecodeFacts(json).status().code(), absl::StatusCode::kDataLoss) << json;
  }
}

}  // namespace
}  // namespace corefleet

#include "core/printk/read_log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "core/bytes/escape.h"
#include "tests/support/corpus.h"
#include "tests/support/true_image.h"

namespace corefleet {
namespace {

bool Has(const KernelLog& log, DefectCode code) {
  return std::any_of(log.defects.begin(), log.defects.end(), [&](const Defect& d) { return d.code == code; });
}

// What the corpus says about the record, compared field by field.
void ExpectRecord(const nlohmann::json& truth, const LogRecord& record) {
  SCOPED_TRACE(truth.dump());
  EXPECT_EQ(record.seq, truth["seq"].get<uint64_t>());
  EXPECT_EQ(record.ts_nsec, truth["ts_nsec"].get<uint64_t>());
  EXPECT_EQ(record.level, truth["level"].get<int>());
  EXPECT_EQ(record.facility, truth["facility"].get<int>());
  EXPECT_EQ(record.flags, truth["flags"].get<int>());
  EXPECT_EQ(CallerName(record.caller_id), truth["caller"].get<std::string>());
  EXPECT_EQ(record.subsystem, truth["subsystem"].get<std::string>());
  EXPECT_EQ(record.device, truth["device"].get<std::string>());
  if (record.text_state == TextState::kLost) return;
  EXPECT_EQ(Utf8OrHex(record.text), truth["text"].get<std::string>());
}

void ExpectRecords(const CorpusCase& crash, const KernelLog& log) {
  std::vector<absl::string_view> lines = absl::StrSplit(crash.file("records.jsonl"), '\n', absl::SkipEmpty());
  ASSERT_EQ(log.records.size(), lines.size());
  for (size_t i = 0; i < lines.size() && !testing::Test::HasFailure(); ++i) {
    ExpectRecord(nlohmann::json::parse(std::string(lines[i])), log.records[i]);
  }
}

// True where the text of the live ring is not in the image (meminspect v3 with an enlarged log buffer).
bool TextIsMissing(const CoreImage& image) {
  return std::any_of(image.segments.begin(), image.segments.end(),
                     [](const Segment& s) { return s.size == 0; });
}

TEST(ReadLogTest, ReadsTheLogOfEveryRealCrash) {
  for (const CorpusCase& crash : ReadCorpus()) {
    SCOPED_TRACE(crash.name);
    const CoreImage image = TrueImage(crash);
    const KernelLog log = ReadLog(image);
    EXPECT_EQ(log.facts.method, "ring");
    ExpectRecords(crash, log);
    if (TextIsMissing(image)) continue;
    EXPECT_EQ(RenderRaw(log), crash.file("dmesg.txt"));
    EXPECT_FALSE(Has(log, DefectCode::kLogTextLost));
  }
}

// Leaves out the regions with these ids.
CoreImage Without(const CorpusCase& crash, std::vector<std::string> files) {
  return TrueImage(crash, [&](const std::string& file, std::string*) {
    return std::find(files.begin(), files.end(), file) == files.end();
  });
}

TEST(ReadLogTest, FindsTheRingWithoutThePointer) {
  for (const char* name : {"a47-null-oops", "c612-biglog-numa", "d53-bug-work-8cpu"}) {
    SCOPED_TRACE(name);
    const CorpusCase crash = ReadCorpusCase(name);
    EXPECT_EQ(RenderRaw(ReadLog(Without(crash, {"md_Kprb22.BIN"}))), crash.file("dmesg.txt"));
    EXPECT_EQ(RenderRaw(ReadLog(Without(crash, {"md_Kvmcorein2.BIN"}))), crash.file("dmesg.txt"));
    EXPECT_EQ(RenderRaw(ReadLog(Without(crash, {"md_Kprb22.BIN", "md_Kvmcorein2.BIN"}))),
              crash.file("dmesg.txt"));
  }
}

TEST(ReadLogTest, FindsTheRingWithoutItsStruct) {
  for (const char* name : {"a47-null-oops", "c612-biglog-numa", "d53-bug-work-8cpu"}) {
    SCOPED_TRACE(name);
    const CorpusCase crash = ReadCorpusCase(name);
    const KernelLog log = ReadLog(Without(crash, {"md_Kprintk_r20.BIN", "md_Kprintk_r21.BIN"}));
    EXPECT_EQ(RenderRaw(log), crash.file("dmesg.txt"));
    EXPECT_TRUE(Has(log, DefectCode::kLogDamaged));
  }
}

TEST(ReadLogTest, WithoutDescriptorsNothingIsLost) {
  const CorpusCase crash = ReadCorpusCase("a47-null-oops");
  const KernelLog log = ReadLog(Without(crash, {"md_Kprb_desc23.BIN"}));
  EXPECT_EQ(log.facts.method, "infos");
  EXPECT_EQ(RenderRaw(log), crash.file("dmesg.txt"));
}

TEST(ReadLogTest, CarvesTheTextWhenThatIsAllThereIs) {
  const CorpusCase crash = ReadCorpusCase("a47-null-oops");
  const KernelLog log = ReadLog(
      TrueImage(crash, [](const std::string& file, std::string*) { return file == "md_Kprb_data25.BIN"; }));
  EXPECT_EQ(log.facts.method, "carved");
  const std::vector<absl::string_view> lines =
      absl::StrSplit(crash.file("records.jsonl"), '\n', absl::SkipEmpty());
  // Every record, and nearly all of them letter by letter.
  std::multiset<std::string> truth;
  for (const absl::string_view line : lines) {
    truth.insert(nlohmann::json::parse(std::string(line))["text"].get<std::string>());
  }
  EXPECT_EQ(log.records.size(), lines.size());
  const size_t same = std::count_if(log.records.begin(), log.records.end(), [&](const LogRecord& record) {
    return truth.count(Utf8OrHex(record.text)) > 0;
  });
  EXPECT_GE(same, lines.size() * 95 / 100);
}

TEST(ReadLogTest, SaysWhenThereIsNoLog) {
  const KernelLog log =
      ReadLog(TrueImage(ReadCorpusCase("a47-null-oops"), [](const std::string& file, std::string*) {
        return !absl::StrContains(file, "Kpr");
      }));
  EXPECT_TRUE(log.records.empty());
  EXPECT_TRUE(Has(log, DefectCode::kLogMissing));
  EXPECT_EQ(RenderRaw(log), "");
}

TEST(ReadLogTest, ATruncatedRegionCostsOnlyItsOwnRecords) {
  const CorpusCase crash = ReadCorpusCase("a47-null-oops");
  for (const char* victim : {"md_Kprb_desc23.BIN", "md_Kprb_info24.BIN", "md_Kprb_data25.BIN"}) {
    SCOPED_TRACE(victim);
    const KernelLog log = ReadLog(TrueImage(crash, [&](const std::string& file, std::string* bytes) {
      // All records are in the first tenth of the descriptors, and in the first third of the text.
      if (file == victim) bytes->resize(bytes->size() / 20);
      return true;
    }));
    EXPECT_GE(log.records.size(), 200u);
    EXPECT_EQ(log.records.front().text.substr(0, 14), "Linux version ");
  }
}

}  // namespace
}  // namespace corefleet

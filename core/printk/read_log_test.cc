#include "core/printk/read_log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

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

}  // namespace
}  // namespace corefleet

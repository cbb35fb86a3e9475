#include "core/printk/read_log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/bytes/escape.h"
#include "core/printk/log_buf_writer.h"
#include "core/printk/ring_writer.h"
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
    EXPECT_FALSE(Has(log, DefectCode::kLogDamaged));
    for (const Defect& defect : log.defects) {
      if (defect.code == DefectCode::kLogGap) {
        EXPECT_NE(defect.detail.find(" 0 after the last"), std::string::npos) << defect.detail;
      }
    }
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

// --- Whole machines: one load, no region ids, symbols from VMCOREINFO alone.

constexpr uint64_t kLoad = 0xffffffff82000000;
constexpr uint64_t kVariables = 64 * 1024;  // into the load

std::string Integer(uint64_t value, size_t width) {
  std::string bytes;
  for (size_t i = 0; i < width; ++i) bytes.push_back(static_cast<char>(value >> (8 * i)));
  return bytes;
}

CoreImage Dump(const std::string& memory, const std::string& vmcoreinfo) {
  CoreImage image;
  image.vmcoreinfo = Vmcoreinfo::Parse(BytesOf(vmcoreinfo), nullptr);
  image.sources.push_back(std::make_shared<MemorySource>(absl::string_view(memory)));
  image.segments.push_back(
      {.vaddr = kLoad, .has_vaddr = true, .size = memory.size(), .available = memory.size(), .region = 0});
  image.IndexSegments();
  return image;
}

void Place(const std::vector<uint8_t>& bytes, uint64_t offset, std::string* memory) {
  std::copy(bytes.begin(), bytes.end(), memory->begin() + offset);
}

CoreImage DumpOfRing(RingWriter ring) {
  ring.descs_vaddr = kLoad;
  ring.infos_vaddr = kLoad + 8192;
  ring.data_vaddr = kLoad + 16384;
  std::string memory(128 * 1024, '\0');
  Place(ring.descs, 0, &memory);
  Place(ring.infos, 8192, &memory);
  Place(ring.data, 16384, &memory);
  Place(ring.Header(), kVariables + 64, &memory);
  memory.replace(kVariables, 8, Integer(kLoad + kVariables + 64, 8));
  return Dump(memory,
              absl::StrCat("SYMBOL(prb)=", absl::Hex(kLoad + kVariables), "\n", ring.VmcoreinfoLines()));
}

CoreImage DumpOfLogBuf(const LogBufWriter& writer) {
  std::string memory(128 * 1024, '\0');
  Place(writer.bytes, 0, &memory);
  memory.replace(kVariables, 8, Integer(kLoad, 8));
  memory.replace(kVariables + 8, 4, Integer(writer.bytes.size(), 4));
  memory.replace(kVariables + 12, 4, Integer(writer.first_idx(), 4));
  memory.replace(kVariables + 16, 4, Integer(writer.next_idx(), 4));
  const auto symbol = [](const char* name, uint64_t offset) {
    return absl::StrCat("SYMBOL(", name, ")=", absl::Hex(kLoad + kVariables + offset), "\n");
  };
  return Dump(memory, absl::StrCat("OSRELEASE=4.19.0\n", symbol("log_buf", 0), symbol("log_buf_len", 8),
                                   symbol("log_first_idx", 12), symbol("log_next_idx", 16),
                                   writer.VmcoreinfoLines()));
}

TEST(ReadLogTest, ARingInADump) {
  RingWriter ring({.count_bits = 5, .size_bits = 12});
  for (int i = 0; i < 20; ++i)
    ring.Add({.text = absl::StrCat("line ", i), .ts_nsec = uint64_t(i) * 1000000000});
  const KernelLog log = ReadLog(DumpOfRing(ring));
  EXPECT_EQ(log.facts.method, "ring");
  EXPECT_EQ(log.records.size(), 20u);
  EXPECT_TRUE(log.defects.empty());
}

TEST(ReadLogTest, ADamagedRingNeverPassesForWhole) {
  RingWriter ring({.count_bits = 5, .size_bits = 12});
  for (int i = 0; i < 20; ++i)
    ring.Add({.text = absl::StrCat("line ", i), .ts_nsec = uint64_t(i) * 1000000000});
  for (const auto array : {&RingWriter::descs, &RingWriter::infos, &RingWriter::data}) {
    for (size_t at = 0; at < (ring.*array).size(); at += 13) {
      RingWriter damaged = ring;
      (damaged.*array)[at] ^= 0xff;
      const KernelLog log = ReadLog(DumpOfRing(damaged));
      // Text that is other text, and stamps that are other stamps, nobody can tell.
      EXPECT_GE(log.records.size(), 19u);
      const bool all = std::all_of(log.records.begin(), log.records.end(), [](const LogRecord& record) {
        return record.text_state == TextState::kWhole;
      });
      EXPECT_TRUE((log.records.size() == 20 && all) || !log.defects.empty()) << at;
    }
  }
}

TEST(ReadLogTest, ALogBufferInADump) {
  LogBufWriter writer({.size = 32768});
  for (int i = 0; i < 20; ++i)
    writer.Add({.text = absl::StrCat("line ", i), .ts_nsec = uint64_t(i) * 1000000000});
  const KernelLog log = ReadLog(DumpOfLogBuf(writer));
  EXPECT_EQ(log.facts.method, "log_buf");
  EXPECT_EQ(log.facts.records, 20u);
  EXPECT_EQ(log.facts.last_ts_nsec, 19000000000u);
  EXPECT_TRUE(log.defects.empty());
  EXPECT_EQ(RenderRaw(log).substr(0, 22), "[    0.000000] line 0\n");
}

TEST(ReadLogTest, DamageInALogBufferIsSaid) {
  LogBufWriter writer({.size = 32768});
  for (int i = 0; i < 20; ++i)
    writer.Add({.text = absl::StrCat("line ", i), .ts_nsec = uint64_t(i) * 1000000000});
  std::fill_n(writer.bytes.begin() + 100, 60, 0xff);
  const KernelLog log = ReadLog(DumpOfLogBuf(writer));
  EXPECT_GE(log.records.size(), 16u);
  EXPECT_TRUE(Has(log, DefectCode::kLogDamaged));
  EXPECT_TRUE(Has(log, DefectCode::kLogGap));
}

TEST(ReadLogTest, TextIsTheLogWhereMemoryHasNone) {
  CoreImage image;
  image.texts.push_back({KernelText::Kind::kPanic, "Panic#1", "[    1.000000] one\n[    2.000000] two\n"});
  const KernelLog log = ReadLog(image);
  EXPECT_EQ(log.facts.method, "text");
  EXPECT_EQ(RenderRaw(log), "[    1.000000] one\n[    2.000000] two\n");
  RingWriter ring({.count_bits = 5, .size_bits = 12});
  ring.Add({.text = "from the ring"});
  CoreImage both = DumpOfRing(ring);
  both.texts = image.texts;
  EXPECT_EQ(ReadLog(both).facts.method, "ring");
}

}  // namespace
}  // namespace corefleet

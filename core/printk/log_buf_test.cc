#include "core/printk/log_buf.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/printk/log_buf_writer.h"
#include "tests/support/fake_memory.h"

namespace corefleet {
namespace {

constexpr uint64_t kVariables = 0xffffffff81e00000;
constexpr uint64_t kBuffer = 0xffffffff82000000;

std::vector<uint8_t> Integer(uint64_t value, size_t width, Endian endian) {
  std::vector<uint8_t> bytes(width);
  for (size_t i = 0; i < width; ++i) {
    bytes[endian == Endian::kLittle ? i : width - 1 - i] = static_cast<uint8_t>(value >> (8 * i));
  }
  return bytes;
}

// The buffer and the four variables, as they lie in a kernel's memory.
struct Machine {
  explicit Machine(const LogBufWriter& writer, absl::string_view release = "4.19.0-21-amd64")
      : memory(8, writer.shape().endian), first(writer.first_idx()), next(writer.next_idx()) {
    endian = writer.shape().endian;
    memory.Add(kBuffer, writer.bytes);
    memory.Add(kVariables, Integer(kBuffer, 8, endian));
    memory.Add(kVariables + 16, Integer(writer.bytes.size(), 4, endian));
    text = absl::StrCat("OSRELEASE=", release, "\n", writer.VmcoreinfoLines());
    AddSymbol("log_buf", 0);
    AddSymbol("log_buf_len", 16);
    AddSymbol("log_first_idx", 32);
    AddSymbol("log_next_idx", 48);
  }
  void AddSymbol(absl::string_view name, uint64_t offset) {
    absl::StrAppend(&text, "SYMBOL(", name, ")=", absl::Hex(kVariables + offset), "\n");
  }
  LogBufRecords Read() {
    memory.Add(kVariables + 32, Integer(first, 4, endian));
    memory.Add(kVariables + 48, Integer(next, 4, endian));
    const std::optional<LogBuf> log = FindLogBuf(memory, Vmcoreinfo::Parse(BytesOf(text), nullptr));
    EXPECT_TRUE(log.has_value());
    return log ? ReadLogBuf(*log) : LogBufRecords();
  }

  FakeMemory memory;
  Endian endian;
  uint64_t first;
  uint64_t next;
  std::string text;
};

std::string TextOfRecord(int i) { return absl::StrCat("record number ", i, std::string(i % 9, '.')); }

LogBufWriter Filled(const LogBufShape& shape, int records) {
  LogBufWriter writer(shape);
  for (int i = 0; i < records; ++i) {
    writer.Add({.text = TextOfRecord(i), .ts_nsec = static_cast<uint64_t>(i) * 1000, .caller_id = 7});
  }
  return writer;
}

std::vector<std::string> Texts(const LogBufRecords& log) {
  std::vector<std::string> texts;
  for (const LogRecord& record : log.records) texts.push_back(record.text);
  return texts;
}

TEST(LogBufTest, ReadsEveryFieldOnEveryMachine) {
  for (const bool caller : {false, true}) {
    for (const bool packed : {false, true}) {
      for (const bool old_name : {false, true}) {
        for (const Endian endian : {Endian::kLittle, Endian::kBig}) {
          LogBufWriter writer(
              {.caller_id = caller, .packed = packed, .old_name = old_name, .endian = endian});
          writer.Add({.text = "two\nlines",
                      .dictionary = std::string("SUBSYSTEM=pci\0DEVICE=+pci:0000:00:1f.0", 39),
                      .ts_nsec = 1234567891,
                      .level = 3,
                      .facility = 1,
                      .flags = 6,
                      .caller_id = 0x80000003});
          const LogBufRecords log = Machine(writer).Read();
          ASSERT_EQ(log.records.size(), 1u);
          const LogRecord& record = log.records[0];
          EXPECT_EQ(record.ts_nsec, 1234567891u);
          EXPECT_EQ(record.level, 3);
          EXPECT_EQ(record.facility, 1);
          EXPECT_EQ(record.flags, 6);
          EXPECT_EQ(record.caller_id, caller ? 0x80000003u : 0u);
          EXPECT_EQ(record.subsystem, "pci");
          EXPECT_EQ(record.device, "+pci:0000:00:1f.0");
          EXPECT_EQ(record.text, "two\nlines");
          EXPECT_EQ(log.stretches, 0u);
        }
      }
    }
  }
}

TEST(LogBufTest, FollowsTheBufferRoundItsEnd) {
  for (int records = 1; records < 200; ++records) {
    const LogBufWriter writer = Filled({.size = 1024}, records);
    const LogBufRecords log = Machine(writer).Read();
    SCOPED_TRACE(records);
    ASSERT_FALSE(log.records.empty());
    EXPECT_EQ(log.stretches, 0u);
    EXPECT_FALSE(log.walked_all);
    const int first = records - static_cast<int>(log.records.size());
    EXPECT_EQ(log.went_round, first > 0);
    for (size_t i = 0; i < log.records.size(); ++i) {
      EXPECT_EQ(log.records[i].text, TextOfRecord(first + static_cast<int>(i)));
      EXPECT_EQ(log.records[i].seq, i);
    }
  }
}

TEST(LogBufTest, AnEmptyBufferIsEmpty) {
  const LogBufRecords log = Machine(LogBufWriter({.size = 1024})).Read();
  EXPECT_TRUE(log.records.empty());
  EXPECT_FALSE(log.walked_all);
}

TEST(LogBufTest, EqualIndicesWithRecordsAreSalvaged) {
  Machine machine(Filled({.size = 4096}, 20));
  machine.next = machine.first;
  const LogBufRecords log = machine.Read();
  EXPECT_EQ(log.records.size(), 20u);
  EXPECT_TRUE(log.walked_all);
}

TEST(LogBufTest, ImpossibleIndicesWalkTheBuffer) {
  // 26 records fit: of 60, those from the 34th on are there, and the buffer starts in the middle.
  const LogBufWriter writer = Filled({.size = 1024}, 60);
  const std::vector<std::string> expected = Texts(Machine(writer).Read());
  for (const uint64_t bad : {uint64_t{1024}, uint64_t{0xffffffff}, uint64_t{6}}) {
    Machine machine(writer);
    machine.first = bad;
    const LogBufRecords log = machine.Read();
    EXPECT_TRUE(log.walked_all);
    // Older ones that were given up and not yet overwritten may be there too.
    ASSERT_GE(log.records.size(), expected.size());
    const std::vector<std::string> texts = Texts(log);
    for (const std::string& text : expected) EXPECT_EQ(std::count(texts.begin(), texts.end(), text), 1);
  }
}

TEST(LogBufTest, AnEndThatIsTooEarlyIsNotBelieved) {
  const LogBufWriter writer = Filled({.size = 4096}, 40);
  Machine machine(writer);
  machine.next = 32 * 4;  // where a record starts
  LogBufWriter cut({.size = 4096});
  for (int i = 0; cut.next_idx() < 128; ++i) cut.Add({.text = TextOfRecord(i), .ts_nsec = 1000});
  machine.next = cut.next_idx();
  const LogBufRecords log = machine.Read();
  EXPECT_EQ(log.records.size(), 40u);
  EXPECT_TRUE(log.walked_all);
}

TEST(LogBufTest, LooksForTheNextRecordBehindDamage) {
  for (const uint8_t fill : {0x00, 0xff, 0x41}) {
    LogBufWriter writer = Filled({.size = 8192}, 100);
    std::fill_n(writer.bytes.begin() + 1000, 100, fill);
    const LogBufRecords log = Machine(writer).Read();
    SCOPED_TRACE(fill);
    EXPECT_EQ(log.stretches, 1u);
    EXPECT_GE(log.skipped, 64u);
    EXPECT_LE(log.skipped, 200u);
    EXPECT_GE(log.records.size(), 95u);
    EXPECT_EQ(log.records.front().text, TextOfRecord(0));
    EXPECT_EQ(log.records.back().text, TextOfRecord(99));
    EXPECT_EQ(log.records.back().seq, log.records.size()) << "the stretch counts as one";
  }
}

TEST(LogBufTest, AHoleInTheImageCostsOnlyWhatIsInIt) {
  const LogBufWriter writer = Filled({.size = 8192}, 150);
  Machine machine(writer);
  machine.memory.Add(kBuffer, {writer.bytes.begin(), writer.bytes.begin() + 1000});
  machine.memory.Add(kBuffer + 2048, {writer.bytes.begin() + 2048, writer.bytes.end()});
  const LogBufRecords log = machine.Read();
  EXPECT_EQ(log.stretches, 1u);
  EXPECT_GE(log.records.size(), 115u);
  EXPECT_EQ(log.records.back().text, TextOfRecord(149));
  size_t whole = 0;
  for (const LogRecord& record : log.records) {
    if (record.text_state == TextState::kWhole) ++whole;
  }
  EXPECT_GE(whole + 1, log.records.size());
}

TEST(LogBufTest, ALengthThatIsNotInTheImageIsGuessed) {
  const LogBufWriter writer = Filled({.size = 8192}, 100);
  Machine machine(writer);
  machine.text = absl::StrCat("SYMBOL(log_buf)=", absl::Hex(kVariables), "\n", writer.VmcoreinfoLines());
  EXPECT_EQ(machine.Read().records.size(), 100u);
}

TEST(LogBufTest, PiecesOfALineAreOneRecordBefore49) {
  LogBufWriter writer({});
  writer.Add({.text = "Modules linked in:", .flags = 8});
  writer.Add({.text = " ext4", .flags = 8});
  writer.Add({.text = " usbcore", .flags = 10});
  writer.Add({.text = "next line", .flags = 6});
  writer.Add({.text = "open", .flags = 8});
  writer.Add({.text = "interrupted", .flags = 6});
  using Strings = std::vector<std::string>;
  EXPECT_EQ(Texts(Machine(writer, "4.4.0-1-amd64").Read()),
            (Strings{"Modules linked in: ext4 usbcore", "next line", "open", "interrupted"}));
  EXPECT_EQ(Texts(Machine(writer, "4.19.0-1-amd64").Read()).size(), 6u);
}

TEST(LogBufTest, In35LevelAndFacilityAreOneNumber) {
  LogBufWriter writer({.old_name = true});
  writer.Add({.text = "x"});
  writer.bytes[14] = 1 << 3 | 4;
  writer.bytes[15] = 0;
  const LogBufRecords log = Machine(writer, "3.5.0-rc1").Read();
  EXPECT_EQ(log.records[0].level, 4);
  EXPECT_EQ(log.records[0].facility, 1);
}

TEST(LogBufTest, AnyByteMayBeWrong) {
  const LogBufWriter whole = Filled({.size = 1024}, 60);
  for (size_t at = 0; at < whole.bytes.size(); ++at) {
    LogBufWriter writer = whole;
    writer.bytes[at] ^= 0xff;
    const LogBufRecords log = Machine(writer).Read();
    EXPECT_GE(log.records.size(), 18u) << at;
  }
}

struct OldMachine {
  OldMachine(absl::string_view bytes, uint64_t end) {
    memory.Add(kBuffer, {bytes.begin(), bytes.end()});
    memory.Add(kVariables, Integer(kBuffer, 8, Endian::kLittle));
    memory.Add(kVariables + 16, Integer(4096, 4, Endian::kLittle));
    memory.Add(kVariables + 32, Integer(end, 4, Endian::kLittle));
  }
  std::optional<ByteLog> Read() const {
    const std::string text =
        absl::StrFormat("SYMBOL(log_buf)=%x\nSYMBOL(log_buf_len)=%x\nSYMBOL(log_end)=%x\n", kVariables,
                        kVariables + 16, kVariables + 32);
    const Vmcoreinfo info = Vmcoreinfo::Parse(BytesOf(text), nullptr);
    EXPECT_FALSE(FindLogBuf(memory, info).has_value());
    return ReadByteLog(memory, info);
  }
  FakeMemory memory;
};

TEST(ByteLogTest, ReadsFromTheStartUntilItIsFull) {
  std::string bytes = "<6>first\n<4>second\n";
  const size_t end = bytes.size();
  bytes.resize(4096);
  const std::optional<ByteLog> log = OldMachine(bytes, end).Read();
  ASSERT_TRUE(log.has_value());
  EXPECT_EQ(log->text, "<6>first\n<4>second\n");
  EXPECT_FALSE(log->went_round);
}

TEST(ByteLogTest, GoesRound) {
  std::string bytes = "newest\n";
  bytes.append(4096 - 14, '.').append("oldest\n");
  const std::optional<ByteLog> log = OldMachine(bytes, 4096 * 3 + 7).Read();
  ASSERT_TRUE(log.has_value());
  EXPECT_EQ(log->text, absl::StrCat(bytes.substr(7), "newest\n"));
  EXPECT_TRUE(log->went_round);
}

TEST(ByteLogTest, SaysHowMuchIsMissing) {
  const std::optional<ByteLog> log = OldMachine(std::string(1000, 'x'), 4096).Read();
  ASSERT_TRUE(log.has_value());
  EXPECT_EQ(log->missing, 3096u);
  EXPECT_EQ(log->text.size(), 1000u);
}

}  // namespace
}  // namespace corefleet

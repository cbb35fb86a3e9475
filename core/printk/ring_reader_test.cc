#include "core/printk/ring_reader.h"

#include <gtest/gtest.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "core/printk/recovery.h"
#include "tests/support/fake_memory.h"

namespace corefleet {
namespace {

Ring RingOf(const RingWriter& builder) {
  const RingLayout layout = RingLayout::From(Vmcoreinfo(), builder.shape().word, builder.shape().endian);
  const std::optional<RingHeader> header = ParseRingHeader(layout, builder.Header());
  EXPECT_TRUE(header.has_value());
  return header ? Ring::Read(MemoryOf(builder), layout, *header) : Ring();
}

RingRecords Read(const RingWriter& builder) { return ReadRing(RingOf(builder)); }

std::vector<std::string> Texts(const RingRecords& result) {
  std::vector<std::string> texts;
  for (const LogRecord& record : result.records) texts.push_back(record.text);
  return texts;
}

using Strings = std::vector<std::string>;

// As many records as there are slots, of several lengths.
RingWriter Filled(size_t records, uint32_t size_bits = 12) {
  RingWriter builder({.count_bits = 4, .size_bits = size_bits});
  for (size_t i = 0; i < records; ++i) {
    builder.Add({.text = absl::StrCat("record number ", i, std::string(i % 7, '.')), .ts_nsec = i * 1000});
  }
  return builder;
}

TEST(RingReaderTest, ReadsEveryFieldOfARecord) {
  RingWriter builder({.count_bits = 4, .size_bits = 10});
  builder.Add({.text = "two\nlines",
               .ts_nsec = 1234567891,
               .level = 3,
               .facility = 1,
               .flags = 10,
               .caller_id = 0x80000003,
               .subsystem = "pci",
               .device = "+pci:0000:00:1f.0"});
  const RingRecords result = Read(builder);
  ASSERT_EQ(result.records.size(), 1u);
  EXPECT_EQ(result.method, RingMethod::kIds);
  const LogRecord& record = result.records[0];
  EXPECT_EQ(record.seq, 0u);
  EXPECT_EQ(record.ts_nsec, 1234567891u);
  EXPECT_EQ(record.level, 3);
  EXPECT_EQ(record.facility, 1);
  EXPECT_EQ(record.flags, 10);
  EXPECT_EQ(record.caller_id, 0x80000003u);
  EXPECT_EQ(record.subsystem, "pci");
  EXPECT_EQ(record.device, "+pci:0000:00:1f.0");
  EXPECT_EQ(record.text, "two\nlines");
  EXPECT_EQ(record.text_state, TextState::kWhole);
}

TEST(RingReaderTest, StringsWithoutANulEndWithTheirField) {
  RingWriter builder({.count_bits = 4, .size_bits = 10});
  builder.Add({.text = "x", .subsystem = std::string(16, 's'), .device = std::string(48, 'd')});
  const RingRecords result = Read(builder);
  EXPECT_EQ(result.records[0].subsystem, std::string(16, 's'));
  EXPECT_EQ(result.records[0].device, std::string(48, 'd'));
}

TEST(RingReaderTest, AnEmptyRingIsEmpty) {
  const RingRecords result = Read(RingWriter({.count_bits = 4, .size_bits = 10}));
  EXPECT_TRUE(result.records.empty());
  EXPECT_EQ(result.method, RingMethod::kNone);
}

TEST(RingReaderTest, FollowsBlocksThatWrap) {
  // 16 slots and 256 bytes: texts go round the array several times.
  for (const bool exact_fit : {false, true}) {
    RingWriter builder({.count_bits = 4, .size_bits = 8});
    if (exact_fit) builder.AllowExactFit();
    Strings all;
    for (size_t i = 0; i < 100; ++i) {
      all.push_back(absl::StrCat("text ", i, std::string(i % 24, 'x')));
      builder.Add({.text = all.back(), .ts_nsec = i});
    }
    const RingRecords result = Read(builder);
    ASSERT_GE(result.records.size(), 4u);
    EXPECT_EQ(result.damaged, 0u);
    EXPECT_EQ(result.records.back().seq, 99u);
    for (const LogRecord& record : result.records) {
      EXPECT_EQ(record.text, all[record.seq]);
      EXPECT_EQ(record.text_state, TextState::kWhole);
    }
  }
}

TEST(RingReaderTest, ABlockMayEndExactlyAtTheEnd) {
  RingWriter builder({.count_bits = 4, .size_bits = 6});
  builder.AllowExactFit();
  builder.Add({.text = std::string(24, 'a')});  // 32 bytes
  builder.Add({.text = std::string(24, 'b')});  // to the end of 64
  EXPECT_EQ(Texts(Read(builder)), (Strings{std::string(24, 'a'), std::string(24, 'b')}));
}

TEST(RingReaderTest, TellsEmptyLinesFromLostOnes) {
  RingWriter builder({.count_bits = 4, .size_bits = 10});
  builder.Add({.text = "before"});
  builder.AddEmptyLine(5);
  builder.AddLost(6);
  builder.Add({.text = "after"});
  const RingRecords result = Read(builder);
  ASSERT_EQ(result.records.size(), 4u);
  EXPECT_EQ(result.records[1].text_state, TextState::kWhole);
  EXPECT_EQ(result.records[1].text, "");
  EXPECT_EQ(result.records[2].text_state, TextState::kLost);
  EXPECT_EQ(result.no_room, 1u);
}

TEST(RingReaderTest, DoesNotStopAtARecordUnderWay) {
  RingWriter builder = Filled(3);
  const uint64_t torn = builder.Add({.text = "half wri", .spare = 8});
  builder.SetState(torn, 0);
  const uint64_t open = builder.Add({.text = "committed, no newline yet", .flags = 0});
  builder.SetState(open, 1);
  const RingRecords result = Read(builder);
  ASSERT_EQ(result.records.size(), 5u);
  EXPECT_EQ(result.unfinished, 1u);
  EXPECT_EQ(result.records[3].text_state, TextState::kIncomplete);
  EXPECT_EQ(result.records[3].text, "half wri");
  EXPECT_EQ(result.records[4].text, "committed, no newline yet");
}

TEST(RingReaderTest, RecycledSlotsAreNoRecords) {
  RingWriter builder = Filled(3);
  builder.SetState(builder.last_id() - 1, 3);
  EXPECT_EQ(Read(builder).records.size(), 2u);
}

TEST(RingReaderTest, AnOverwrittenBlockLosesOnlyItsText) {
  RingWriter builder = Filled(5);
  const uint64_t id = builder.last_id() - 2;
  builder.data[builder.BeginOf(id)] ^= 0xff;
  const RingRecords result = Read(builder);
  ASSERT_EQ(result.records.size(), 5u);
  EXPECT_EQ(result.records[2].text_state, TextState::kLost);
  EXPECT_EQ(result.records[2].ts_nsec, 2000u);
  EXPECT_EQ(result.records[3].text_state, TextState::kWhole);
}

TEST(RingReaderTest, ATextLongerThanItsBlockIsCut) {
  RingWriter builder({.count_bits = 4, .size_bits = 10});
  const uint64_t id = builder.Add({.text = "12345678"});
  builder.info(id)[16] = 200;
  const RingRecords result = Read(builder);
  EXPECT_EQ(result.records[0].text, "12345678");
  EXPECT_EQ(result.records[0].text_state, TextState::kTruncated);
}

TEST(RingReaderTest, ASeqThatLiesIsRepaired) {
  RingWriter builder = Filled(9);
  builder.info(builder.last_id() - 4)[5] = 0x77;
  const RingRecords result = Read(builder);
  ASSERT_EQ(result.records.size(), 9u);
  for (size_t i = 0; i < 9; ++i) EXPECT_EQ(result.records[i].seq, i);
  EXPECT_EQ(result.damaged, 1u);
}

TEST(RingReaderTest, PositionsThatNoWriterMakes) {
  for (const uint64_t begin : {uint64_t{4}, uint64_t{1} << 40, UINT64_MAX, UINT64_MAX - 7}) {
    RingWriter builder = Filled(3);
    std::memcpy(builder.descriptor(builder.last_id()) + 8, &begin, sizeof(begin));
    const RingRecords result = Read(builder);
    ASSERT_EQ(result.records.size(), 3u);
    // The block is still there, behind its id.
    EXPECT_EQ(result.records[2].text_state, TextState::kCarved);
    EXPECT_EQ(result.records[2].text, "record number 2..");
    EXPECT_EQ(result.found_by_id, 1u);
    EXPECT_EQ(result.records[1].text_state, TextState::kWhole);
  }
}

// Every machine that Linux runs on.
std::vector<RingShape> Machines(uint32_t count_bits, uint32_t size_bits) {
  std::vector<RingShape> shapes;
  for (const uint32_t word : {8u, 4u}) {
    for (const Endian endian : {Endian::kLittle, Endian::kBig}) {
      shapes.push_back({.count_bits = count_bits, .size_bits = size_bits, .word = word, .endian = endian});
    }
  }
  return shapes;
}

TEST(RingReaderTest, ReadsEveryMachine) {
  for (const RingShape& shape : Machines(4, 10)) {
    RingWriter builder(shape);
    builder.Add({.text = "first",
                 .ts_nsec = 1234567891,
                 .level = 3,
                 .facility = 1,
                 .flags = 10,
                 .caller_id = 0x80000003,
                 .subsystem = "pci",
                 .device = "+pci:0"});
    builder.AddEmptyLine(7);
    builder.AddLost(8);
    const RingRecords result = Read(builder);
    ASSERT_EQ(result.records.size(), 3u);
    const LogRecord& record = result.records[0];
    EXPECT_EQ(record.text, "first");
    EXPECT_EQ(record.ts_nsec, 1234567891u);
    EXPECT_EQ(record.level, 3);
    EXPECT_EQ(record.facility, 1);
    EXPECT_EQ(record.flags, 10);
    EXPECT_EQ(record.caller_id, 0x80000003u);
    EXPECT_EQ(record.subsystem, "pci");
    EXPECT_EQ(record.device, "+pci:0");
    EXPECT_EQ(record.seq, 0u);
    EXPECT_EQ(result.records[1].text_state, TextState::kWhole);
    EXPECT_EQ(result.records[2].text_state, TextState::kLost);
    EXPECT_EQ(result.damaged, 0u);
  }
}

// Ids of 30 bits and positions of 32 bits wrap in the life of a machine.
TEST(RingReaderTest, IdsAndPositionsMayWrap) {
  for (RingShape shape : Machines(4, 8)) {
    shape.records_before = (uint64_t{1} << 30) - 60;
    shape.text_before = (uint64_t{1} << 32) - 700;
    RingWriter builder(shape);
    for (int i = 0; i < 100; ++i) {
      const std::string text = absl::StrCat("text ", i, std::string(i % 24, 'x'));
      builder.Add({.text = text, .ts_nsec = uint64_t(i)});
      const RingRecords result = Read(builder);
      ASSERT_FALSE(result.records.empty());
      ASSERT_EQ(result.damaged, 0u);
      EXPECT_EQ(result.after_last, 0u);
      EXPECT_EQ(result.records.back().seq, shape.records_before + i);
      EXPECT_EQ(result.records.back().text, text);
      for (const LogRecord& record : result.records) EXPECT_EQ(record.text_state, TextState::kWhole);
      Ring headless = RingOf(builder);
      headless.head_id = 12345;
      EXPECT_GE(Texts(ReadRing(headless)).size(), result.records.size());
    }
  }
}

// A head or a tail can be wrong and still possible. No record may be left out because of it.
TEST(RingReaderTest, APossibleButWrongHeadOrTailIsFound) {
  const RingWriter builder = Filled(40);
  const RingRecords whole = Read(builder);
  for (const int wrong : {-9, -3, -1}) {
    Ring ring = RingOf(builder);
    *ring.head_id += wrong;
    const RingRecords result = ReadRing(ring);
    EXPECT_EQ(Texts(result), Texts(whole));
    EXPECT_EQ(result.method, RingMethod::kDescriptors);
  }
  for (const int wrong : {1, 5}) {
    Ring ring = RingOf(builder);
    *ring.tail_id += wrong;
    EXPECT_EQ(Texts(ReadRing(ring)), Texts(whole));
  }
}

TEST(RingReaderTest, SaysHowManyRecordsAreMissingAtTheEnd) {
  RingWriter builder = Filled(10);
  for (uint64_t id = builder.last_id() - 2; id <= builder.last_id(); ++id) builder.descriptor(id)[3] ^= 1;
  const RingRecords result = Read(builder);
  EXPECT_EQ(result.records.size(), 7u);
  EXPECT_EQ(result.damaged, 3u);
  EXPECT_EQ(result.after_last, 3u);
}

TEST(RingReaderTest, TextIsFoundWhenTheSizeOfTheRingIsWrong) {
  const RingWriter builder = Filled(12, 12);
  Ring ring = RingOf(builder);
  ring.data_size = 64;  // of 4096; the array is read whole
  const RingRecords result = ReadRing(ring);
  EXPECT_EQ(Texts(result), Texts(Read(builder)));
  EXPECT_GT(result.found_by_id, 8u);
}

// What the kernel had given up is shown only where nothing better can be had, and never as whole.
TEST(RingReaderTest, RecycledRecordsAreSalvagedFromADamagedRing) {
  RingWriter builder = Filled(10);
  builder.SetState(builder.first_id() + 1, 3);
  builder.SetState(builder.first_id() + 2, 3);
  builder.data[builder.BeginOf(builder.first_id() + 2)] ^= 1;
  EXPECT_EQ(Read(builder).records.size(), 8u);
  Ring ring = RingOf(builder);
  ring.head_id = 0;
  const RingRecords result = ReadRing(ring);
  ASSERT_EQ(result.records.size(), 9u);
  EXPECT_EQ(result.recycled, 1u);
  EXPECT_EQ(result.records[0].text, "record number 0");
  EXPECT_EQ(result.records[0].text_state, TextState::kCarved);
}

TEST(RingReaderTest, RecordsWithoutTheirInfosAreCounted) {
  const RingWriter builder = Filled(10);
  Ring ring = RingOf(builder);
  ring.infos = SparseBytes();
  const RingRecords result = ReadRing(ring);
  EXPECT_EQ(result.records.size(), 10u);
  EXPECT_EQ(result.no_info, 10u);
}

// Each array may be split over several loads, and each missing piece costs only its own records.
TEST(RingReaderTest, ArraysMayLieInSeveralLoads) {
  const RingWriter builder = Filled(16);
  const RingLayout layout = RingLayout::From(Vmcoreinfo(), 8, Endian::kLittle);
  const std::optional<RingHeader> header = ParseRingHeader(layout, builder.Header());
  ASSERT_TRUE(header.has_value());
  const auto read = [&](uint64_t hole, uint64_t hole_size) {
    FakeMemory memory;
    const auto add = [&](uint64_t vaddr, const std::vector<uint8_t>& bytes) {
      for (uint64_t at = 0; at < bytes.size(); at += 8) {
        if (vaddr + at >= hole && vaddr + at < hole + hole_size) continue;
        memory.Add(vaddr + at, {bytes.begin() + at, bytes.begin() + at + 8});
      }
    };
    add(builder.descs_vaddr, builder.descs);
    add(builder.infos_vaddr, builder.infos);
    add(builder.data_vaddr, builder.data);
    return ReadRing(Ring::Read(memory, layout, *header));
  };
  const RingRecords whole = read(0, 0);
  EXPECT_EQ(Texts(whole), Texts(Read(builder)));
  EXPECT_EQ(whole.damaged, 0u);
  for (const uint64_t vaddr : {builder.descs_vaddr, builder.infos_vaddr, builder.data_vaddr}) {
    const RingRecords holed = read(vaddr + 48, 48);
    size_t same = 0;
    for (const LogRecord& record : holed.records) {
      if (record.text_state == TextState::kWhole && record.text == whole.records[record.seq].text) ++same;
    }
    EXPECT_GE(same, 12u);
    const bool told =
        holed.no_info + holed.damaged + holed.absent > 0 || same == 16 || holed.records.size() > same;
    EXPECT_TRUE(told);
  }
}

TEST(RingReaderTest, InsaneHeadWalksTheDescriptors) {
  const RingWriter builder = Filled(40);
  const Strings expected = Texts(Read(builder));
  for (const uint64_t head : {uint64_t{0}, uint64_t{12345}, UINT64_MAX}) {
    Ring ring = RingOf(builder);
    ring.head_id = head;
    const RingRecords result = ReadRing(ring);
    EXPECT_EQ(result.method, RingMethod::kDescriptors);
    EXPECT_EQ(Texts(result), expected);
  }
}

TEST(RingReaderTest, WithoutDescriptorsTextIsFoundByItsId) {
  // 9 bits: the texts wrap, so an id stands at the array's end without its text.
  for (const uint32_t size_bits : {12u, 9u}) {
    const RingWriter builder = Filled(40, size_bits);
    const Strings expected = Texts(Read(builder));
    Ring ring = RingOf(builder);
    ring.descs = SparseBytes();
    for (const bool with_head : {true, false}) {
      if (!with_head) ring.head_id.reset();
      const RingRecords result = ReadRing(ring);
      EXPECT_EQ(result.method, RingMethod::kInfos);
      const Strings texts = Texts(result);
      ASSERT_GE(texts.size(), expected.size());
      EXPECT_EQ(Strings(texts.end() - expected.size(), texts.end()), expected);
    }
  }
}

TEST(RingReaderTest, WithoutAnythingElseTextIsCarved) {
  RingWriter builder({.count_bits = 4, .size_bits = 12});
  // As the kernel leaves a block: the level prefix was cut off in front, so the last two bytes stand there
  // twice.
  for (int i = 10; i < 14; ++i)
    builder.Add({.text = absl::StrCat("message ", i, absl::string_view("\0", 1)), .spare = 0});
  Ring ring = RingOf(builder);
  ring.descs = SparseBytes();
  ring.infos = SparseBytes();
  ring.head_id.reset();
  const RingRecords result = ReadRing(ring);
  EXPECT_EQ(result.method, RingMethod::kCarved);
  EXPECT_EQ(Texts(result), (Strings{"message 10", "message 11", "message 12", "message 13"}));
  EXPECT_EQ(result.records[0].text_state, TextState::kCarved);
}

TEST(RingReaderTest, FillPatternsAreNoText) {
  for (const uint8_t fill : {0x00, 0x20, 0x5a, 0x6b, 0xa5, 0xff}) {
    Ring ring = RingOf(Filled(16));
    ring.descs = SparseBytes();
    ring.infos = SparseBytes();
    ring.head_id.reset();
    ring.data = SparseBytes::ReadSource(MemorySource(std::vector<uint8_t>(4096, fill)), 4096);
    EXPECT_TRUE(ReadRing(ring).records.empty()) << static_cast<int>(fill);
  }
}

TEST(RingReaderTest, ATruncatedArrayCostsOnlyWhatIsInIt) {
  const RingWriter whole = Filled(16);
  const Strings expected = Texts(Read(whole));
  for (const auto array : {&RingWriter::descs, &RingWriter::infos, &RingWriter::data}) {
    for (size_t length = 0; length <= (whole.*array).size(); length += 40) {
      RingWriter builder = whole;
      (builder.*array).resize(length);
      Ring ring = RingOf(whole);
      ring.descs = SparseBytes::ReadVirtual(MemoryOf(builder), builder.descs_vaddr, whole.descs.size());
      ring.infos = SparseBytes::ReadVirtual(MemoryOf(builder), builder.infos_vaddr, whole.infos.size());
      ring.data = SparseBytes::ReadVirtual(MemoryOf(builder), builder.data_vaddr, whole.data.size());
      for (const LogRecord& record : ReadRing(ring).records) {
        if (record.text_state != TextState::kWhole) continue;
        EXPECT_EQ(record.text, expected[record.seq]);
      }
    }
  }
}

// A ring that claims the same long text for every one of its slots must not make the reader hold it again and
// again.
TEST(RingReaderTest, TextIsBoundedByTheRing) {
  RingWriter builder({.count_bits = 12, .size_bits = 16});
  for (size_t i = 0; i < builder.count(); ++i) builder.Add({.text = "x"});
  for (uint64_t id = builder.first_id(); id <= builder.last_id(); ++id) {
    const uint64_t begin = (id - builder.first_id()) * 8;
    const uint64_t next = begin + (1 << 15);
    std::memcpy(builder.descriptor(id) + 8, &begin, 8);
    std::memcpy(builder.descriptor(id) + 16, &next, 8);
    std::memcpy(builder.data.data() + begin, &id, 8);
    builder.info(id)[17] = 0x7f;
  }
  size_t bytes = 0;
  for (const LogRecord& record : Read(builder).records) bytes += record.text.size();
  EXPECT_LE(bytes, builder.data.size());
}

TEST(RingHeaderTest, RefusesWhatCannotBe) {
  const RingLayout layout = RingLayout::From(Vmcoreinfo(), 8, Endian::kLittle);
  std::vector<uint8_t> header = RingWriter({.count_bits = 4, .size_bits = 10}).Header();
  EXPECT_TRUE(ParseRingHeader(layout, header).has_value());
  EXPECT_FALSE(ParseRingHeader(layout, ByteView(header).subspan(0, 87)).has_value());
  EXPECT_FALSE(ParseRingHeader(layout, std::vector<uint8_t>(88, 0)).has_value());
  EXPECT_FALSE(ParseRingHeader(layout, std::vector<uint8_t>(88, 0xff)).has_value());
  header[0] = 25;
  EXPECT_FALSE(ParseRingHeader(layout, header).has_value());
  header[0] = 24;
  header[48] = 32;
  EXPECT_FALSE(ParseRingHeader(layout, header).has_value());
}

TEST(SparseBytesTest, ReadsAroundHoles) {
  FakeMemory memory;
  memory.Add(1000, std::vector<uint8_t>(24, 1));
  memory.Add(1064, std::vector<uint8_t>(12, 2));
  const SparseBytes bytes = SparseBytes::ReadVirtual(memory, 1000, 200);
  EXPECT_EQ(bytes.available(), 36u);
  EXPECT_EQ(bytes.Whole(0, 24).size(), 24u);
  EXPECT_TRUE(bytes.Whole(16, 16).empty());
  EXPECT_EQ(bytes.Prefix(16, 16).size(), 8u);
  EXPECT_EQ(bytes.Whole(64, 12)[0], 2);
  EXPECT_TRUE(bytes.Prefix(30, 8).empty());
  EXPECT_TRUE(bytes.Prefix(UINT64_MAX, 8).empty());
}

TEST(SparseBytesTest, AnArrayAtTheEndOfTheAddressSpaceDoesNotWrap) {
  FakeMemory memory;
  memory.Add(0, std::vector<uint8_t>(64, 1));
  EXPECT_EQ(SparseBytes::ReadVirtual(memory, UINT64_MAX - 15, 1 << 20).available(), 0u);
}

TEST(GuessTextTest, UndoesWhatTheFormatterLeaves) {
  EXPECT_EQ(GuessText(absl::string_view("hellolo\n\0rest", 13)), "hello");
  EXPECT_EQ(GuessText("no terminator"), "no terminator");
  EXPECT_EQ(GuessText(absl::string_view("joined\001c\n\0", 10)), "joined");
  EXPECT_EQ(GuessText(""), "");
  EXPECT_EQ(GuessText("\n"), "");
}

}  // namespace
}  // namespace corefleet

#include "core/pstore/ramoops.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <random>

#include "absl/strings/str_cat.h"
#include "core/pstore/ramoops_writer.h"
#include "core/pstore/ramoops_zone.h"

namespace corefleet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string Log(int lines) {
  std::string text;
  for (int i = 0; i < lines; ++i)
    absl::StrAppend(&text, "<6>[    1.00", 1000 + i, "] line ", i, " of the log\n");
  return text;
}

std::string Dump(uint64_t seconds, absl::string_view header, RecordCodec codec) {
  return RamoopsDumpContent(seconds, 123456, absl::StrCat(header, " Part1\n", Log(200)), codec);
}

std::string Console() {
  return absl::StrCat("[    0.000000] Linux version 6.1.0\n", std::string(300, 'c'), "\n");
}

Pieces Unpack(const std::string& area) {
  Pieces pieces;
  UnpackRamoops({{.file_name = "ramoops.bin", .bytes = std::make_shared<MemorySource>(area)}}, nullptr,
                &pieces);
  return pieces;
}

std::vector<std::string> Names(const Pieces& pieces) {
  std::vector<std::string> names;
  for (const KernelText& text : pieces.texts) names.push_back(text.name);
  return names;
}

std::string TraceRecord(uint64_t ip, uint64_t parent, uint64_t time) {
  std::string record;
  for (const uint64_t word : {ip, parent, time}) {
    for (int shift = 0; shift < 64; shift += 8) record.push_back(static_cast<char>(word >> shift & 255));
  }
  return record;
}

std::vector<RamoopsZoneToWrite> Area(RecordCodec codec) {
  return {{.size = 16384, .content = Dump(1700000000, "Oops#1", codec)},
          {.size = 16384, .content = Dump(1700000005, "Panic#2", codec)},
          {.size = 16384},
          {.size = 8192, .content = Console()},
          {.size = 4096,
           .value = 0x0601aa,
           .content = TraceRecord(0xffffffff81000000, 0xffffffff82000000, 0x1203)},
          {.size = 4096, .content = "main: user space speaks\n"}};
}

TEST(UnpackRamoops, TakesEveryZoneApart) {
  for (const size_t parity : {0u, 16u, 4u, 32u}) {
    for (const RecordCodec codec : {RecordCodec::kPlain, RecordCodec::kDeflate, RecordCodec::kZlib,
                                    RecordCodec::kZstd, RecordCodec::kLz4}) {
      const std::string area = WriteRamoops(Area(codec), parity);
      EXPECT_TRUE(LooksLikeRamoops(BytesOf(area)));
      const Pieces pieces = Unpack(area);
      EXPECT_THAT(pieces.defects, IsEmpty());
      ASSERT_THAT(Names(pieces), ElementsAre("Panic#2", "Oops#1", "console, ramoops.bin zone at 0xc000",
                                             "ftrace of Linux 6.1.170, ramoops.bin zone at 0xe000",
                                             "pmsg, ramoops.bin zone at 0xf000"))
          << parity << " " << static_cast<int>(codec);
      EXPECT_EQ(pieces.texts[0].text, Log(200));
      EXPECT_EQ(pieces.texts[2].text, Console());
      EXPECT_EQ(pieces.texts[3].text, "CPU:3 ts:18 ffffffff81000000  ffffffff82000000\n");
      EXPECT_EQ(pieces.texts[4].kind, KernelText::Kind::kPmsg);
    }
  }
}

TEST(UnpackRamoops, ReadsARingThatHasTurned) {
  std::string content;
  for (int i = 0; i < 900; ++i) absl::StrAppend(&content, "[    2.", 100000 + i, "] line\n");
  for (const size_t parity : {0u, 16u}) {
    const Pieces pieces = Unpack(WriteRamoops({{.size = 4096, .content = content}}, parity));
    ASSERT_THAT(pieces.texts, SizeIs(1));
    const std::string& text = pieces.texts[0].text;
    EXPECT_EQ(text.size(), RingCapacity(4096, parity));
    EXPECT_EQ(text, content.substr(content.size() - text.size()));
  }
}

// Changes `count` bytes of each block of 128 in the first zone's ring, and `count` of its header's size.
void DamageBlocks(size_t blocks, size_t count, std::string* area) {
  std::mt19937 random(7);
  for (size_t block = 0; block < blocks; ++block) {
    for (size_t i = 0; i < count; ++i) {
      char& byte = (*area)[kRamoopsHeaderBytes + block * kRamoopsBlockBytes + i * 9];
      byte = static_cast<char>(byte ^ (1 + random() % 255));
    }
  }
}

TEST(UnpackRamoops, CorrectsWhatTheParityAllows) {
  std::string area = WriteRamoops(Area(RecordCodec::kPlain), 16);
  DamageBlocks(40, 8, &area);
  for (const size_t at : {4, 5, 8, 11}) area[at] = static_cast<char>(area[at] ^ 0x5a);  // start and size, too
  const Pieces pieces = Unpack(area);
  EXPECT_THAT(pieces.defects, IsEmpty());
  ASSERT_THAT(pieces.texts, SizeIs(5));
  EXPECT_EQ(pieces.texts[1].text, Log(200));
  const auto zone = ReadRamoopsZone(BytesOf(area).subspan(0, 16384));
  ASSERT_TRUE(zone);
  EXPECT_EQ(zone->parity, 16u);
  EXPECT_EQ(zone->corrected_bytes, 40u * 8);
}

TEST(UnpackRamoops, CountsBlocksBeyondRepairAndKeepsTheRest) {
  std::string area = WriteRamoops(Area(RecordCodec::kPlain), 16);
  for (size_t i = 0; i < 60; ++i) area[kRamoopsHeaderBytes + 10 * kRamoopsBlockBytes + i] = '?';
  const Pieces pieces = Unpack(area);
  ASSERT_THAT(pieces.defects, SizeIs(1));
  EXPECT_EQ(pieces.defects[0].code, DefectCode::kEccUnrecoverable);
  EXPECT_THAT(pieces.defects[0].detail, HasSubstr("1 blocks of 128 bytes"));
  EXPECT_EQ(pieces.defects[0].region, "ramoops.bin zone at 0x0");
  EXPECT_EQ(pieces.texts[1].text.size(), Log(200).size());
}

TEST(UnpackRamoops, FindsParityWhereTheNextZonesSignatureIsGone) {
  std::string area = WriteRamoops(Area(RecordCodec::kPlain), 16);
  for (size_t at = 16384; at < 49152; ++at) area[at] = '\0';
  const Pieces pieces = Unpack(area);
  ASSERT_THAT(pieces.texts, SizeIs(4));
  EXPECT_EQ(pieces.texts[0].name, "Oops#1");
  EXPECT_EQ(pieces.texts[0].text, Log(200));
}

TEST(UnpackRamoops, AnImpossibleHeaderLosesNothingElse) {
  std::string area = WriteRamoops(Area(RecordCodec::kPlain), 0);
  for (size_t at = 4; at < 12; ++at) area[at] = '\xee';
  const Pieces pieces = Unpack(area);
  ASSERT_THAT(pieces.defects, SizeIs(1));
  EXPECT_EQ(pieces.defects[0].code, DefectCode::kContainerDamaged);
  ASSERT_THAT(pieces.texts, SizeIs(5));
  EXPECT_EQ(pieces.texts[1].text, Log(200));
}

TEST(UnpackRamoops, SaysThatADumpCannotBeDecompressed) {
  std::string noise;
  for (uint32_t i = 0, x = 1; i < 3000; ++i, x = x * 1664525 + 1013904223)
    noise.push_back(static_cast<char>(x >> 24));
  const Pieces pieces =
      Unpack(WriteRamoops({{.size = 8192, .content = absl::StrCat("====1700000000.000001-C\n", noise)}}, 0));
  EXPECT_THAT(pieces.texts, IsEmpty());
  ASSERT_THAT(pieces.defects, SizeIs(1));
  EXPECT_EQ(pieces.defects[0].code, DefectCode::kRecordUnreadable);
}

TEST(UnpackRamoops, ReadsTheOldestHead) {
  const Pieces pieces = Unpack(WriteRamoops({{.size = 4096, .content = "====12.5\n[    1.000000] x\n"}}, 0));
  ASSERT_THAT(pieces.texts, SizeIs(1));
  EXPECT_EQ(pieces.texts[0].kind, KernelText::Kind::kOtherDump);
  EXPECT_EQ(pieces.texts[0].text, "[    1.000000] x\n");
}

TEST(UnpackRamoops, CutsAreSurvived) {
  const std::string area = WriteRamoops(Area(RecordCodec::kDeflate), 16);
  for (size_t size = 0; size < area.size(); size += 997)
    EXPECT_LE(Unpack(area.substr(0, size)).texts.size(), 5u);
}

TEST(LooksLikeRamoops, WantsASignatureAtAPage) {
  EXPECT_FALSE(LooksLikeRamoops({}));
  EXPECT_FALSE(LooksLikeRamoops(BytesOf("DBGC")));
  const std::string area = WriteRamoops({{.size = 4096, .content = "x"}}, 0);
  EXPECT_TRUE(LooksLikeRamoops(BytesOf(absl::StrCat(std::string(8192, '\0'), area))));
  EXPECT_FALSE(LooksLikeRamoops(BytesOf(absl::StrCat(std::string(8, '\0'), area))));
}

TEST(ZoneValueOf, IsNoughtOrAVersion) {
  EXPECT_EQ(ZoneValueOf(0x43474244), 0u);
  EXPECT_EQ(ZoneValueOf(0x43474244 ^ 0x0601aa), 0x0601aau);
  EXPECT_EQ(VersionWords(0x0601aa), "6.1.170");
  EXPECT_EQ(ZoneValueOf(0x43474244 ^ 5), std::nullopt);
  EXPECT_EQ(ZoneValueOf(0), std::nullopt);
}

TEST(RingCapacity, LeavesRoomForParity) {
  EXPECT_EQ(RingCapacity(4096, 0), 4084u);
  // 4096 - 12 - 16 is room for 29 blocks with theirs.
  EXPECT_EQ(ParityBlocks(4096, 16), 29u);
  EXPECT_EQ(RingCapacity(4096, 16), 4096u - 12 - 30 * 16);
  EXPECT_EQ(RingCapacity(0, 16), 0u);
  EXPECT_EQ(RingCapacity(20, 16), 0u);
}

}  // namespace
}  // namespace corefleet

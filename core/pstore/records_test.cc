#include "core/pstore/records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/pstore/decompress.h"
#include "core/pstore/ecc_notice.h"
#include "core/pstore/lzo1x.h"
#include "core/pstore/record_text.h"
#include "core/pstore/records_writer.h"

namespace corefleet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string Log(int lines) {
  std::string text;
  for (int i = 0; i < lines; ++i)
    absl::StrAppend(&text, "<6>[    0.00", 1000 + i, "] line ", i, " of the log\n");
  return text;
}

Pieces Unpack(const std::vector<PstoreFileBytes>& files) {
  std::vector<Artifact> artifacts;
  for (const PstoreFileBytes& file : files)
    artifacts.push_back({.file_name = file.name, .bytes = std::make_shared<MemorySource>(file.bytes)});
  std::sort(artifacts.begin(), artifacts.end(),
            [](const Artifact& a, const Artifact& b) { return a.file_name < b.file_name; });
  Pieces pieces;
  UnpackPstoreRecords(artifacts, nullptr, &pieces);
  return pieces;
}

std::vector<DefectCode> Codes(const Pieces& pieces) {
  std::vector<DefectCode> codes;
  for (const Defect& defect : pieces.defects) codes.push_back(defect.code);
  return codes;
}

const RecordCodec kCodecs[] = {RecordCodec::kPlain, RecordCodec::kDeflate, RecordCodec::kZlib,
                               RecordCodec::kZstd, RecordCodec::kLz4};

TEST(UnpackPstoreRecords, GivesTheLogBackFromEveryBackendAndCodec) {
  for (const char* backend : {"ramoops", "efi", "efi_pstore", "erst", "nvram"}) {
    for (const RecordCodec codec : kCodecs) {
      PstoreDump dump{.backend = backend, .count = 2, .seconds = 1700000000, .first_id = 7, .text = Log(300)};
      dump.codec = codec;
      dump.part_bytes = dump.backend == "ramoops" ? 0 : 1000;
      const auto files = WritePstoreDump(dump);
      ASSERT_GT(files.size(), dump.part_bytes == 0 ? 0u : 9u);
      const Pieces pieces = Unpack(files);
      ASSERT_THAT(pieces.texts, SizeIs(1)) << backend << " " << static_cast<int>(codec);
      EXPECT_EQ(pieces.texts[0].text, dump.text);
      EXPECT_EQ(pieces.texts[0].name, "Panic#2");
      EXPECT_EQ(pieces.texts[0].kind, KernelText::Kind::kPanic);
      EXPECT_THAT(pieces.defects, IsEmpty());
    }
  }
}

TEST(UnpackPstoreRecords, SaysWhichPartIsMissingAndWhere) {
  auto files = WritePstoreDump({.backend = "efi", .seconds = 1700000000, .text = Log(12), .part_bytes = 100});
  ASSERT_THAT(files, SizeIs(6));
  files.erase(files.begin() + 3, files.begin() + 5);  // parts 4 and 5
  files.erase(files.begin());                         // part 1
  const Pieces pieces = Unpack(files);
  ASSERT_THAT(pieces.texts, SizeIs(1));
  const std::string& text = pieces.texts[0].text;
  EXPECT_THAT(text, HasSubstr("line 1 of the log\n<parts 5 to 4 of this record are missing>\n<6>"));
  EXPECT_THAT(text, HasSubstr("line 9 of the log\n<part 1 of this record is missing>\n"));
  EXPECT_THAT(Codes(pieces), ElementsAre(DefectCode::kRecordPartMissing));
  EXPECT_THAT(pieces.defects[0].detail, HasSubstr("parts 5 to 4, part 1 of this record are missing"));
}

TEST(UnpackPstoreRecords, KeepsDumpsOfOneFolderApartAndTheNewestFirst) {
  std::vector<PstoreFileBytes> files;
  for (const uint64_t seconds : {1700000000, 1700009000}) {
    const auto dump = WritePstoreDump({.backend = "efi",
                                       .seconds = seconds,
                                       .text = absl::StrCat("<6>at ", seconds, "\n", Log(20)),
                                       .part_bytes = 100});
    files.insert(files.end(), dump.begin(), dump.end());
  }
  const auto oops =
      WritePstoreDump({.backend = "efi", .reason = "Oops", .seconds = 1700009000, .text = Log(1)});
  files.insert(files.end(), oops.begin(), oops.end());
  files.push_back({"console-efi-1", "[    0.000000] all of it\n"});
  files.push_back({"pmsg-ramoops-0", "main: hello\n"});
  files.push_back({"ftrace-ramoops-0", "CPU:0 ts:1 ffff ffff a <- b\n"});
  const Pieces pieces = Unpack(files);
  ASSERT_THAT(pieces.texts, SizeIs(6));
  std::vector<KernelText::Kind> kinds;
  std::vector<std::string> starts;
  for (const KernelText& text : pieces.texts) {
    kinds.push_back(text.kind);
    if (text.kind == KernelText::Kind::kPanic) starts.push_back(text.text.substr(0, 16));
  }
  using Kind = KernelText::Kind;
  EXPECT_THAT(kinds, testing::UnorderedElementsAre(Kind::kPanic, Kind::kPanic, Kind::kOops, Kind::kConsole,
                                                   Kind::kPmsg, Kind::kFtrace));
  EXPECT_THAT(starts, ElementsAre("<6>at 1700009000", "<6>at 1700000000"));
}

TEST(UnpackPstoreRecords, ReadsSystemdsArchiveAndSaysNothingTwice) {
  auto files = WritePstoreDump({.backend = "erst", .first_id = 100, .text = Log(40), .part_bytes = 300});
  std::string archive;
  for (auto file = files.rbegin(); file != files.rend(); ++file) archive += file->bytes;
  const Pieces alone = Unpack({{"dmesg.txt", archive}});
  ASSERT_THAT(alone.texts, SizeIs(1));
  EXPECT_EQ(alone.texts[0].text, Log(40));
  EXPECT_TRUE(LooksLikePstoreFile("dmesg.txt", BytesOf(archive)));
  files.push_back({"dmesg.txt", archive});
  EXPECT_THAT(Unpack(files).texts, SizeIs(1));
}

TEST(UnpackPstoreRecords, TakesTheEccNoticeOffAndSaysWhatItSays) {
  for (const RecordCodec codec : kCodecs) {
    PstoreDump dump{
        .text = Log(30), .codec = codec, .ecc_notice = "\nECC: 3 Corrected bytes, 2 unrecoverable blocks\n"};
    const Pieces bad = Unpack(WritePstoreDump(dump));
    ASSERT_THAT(bad.texts, SizeIs(1));
    EXPECT_EQ(bad.texts[0].text, dump.text);
    ASSERT_THAT(Codes(bad), ElementsAre(DefectCode::kEccUnrecoverable));
    EXPECT_THAT(bad.defects[0].detail, HasSubstr("2 blocks"));
    dump.ecc_notice = "\nECC: No errors detected\n";
    const Pieces good = Unpack(WritePstoreDump(dump));
    EXPECT_THAT(good.defects, IsEmpty());
    EXPECT_EQ(good.texts[0].text, dump.text);
  }
}

TEST(TakeEccNotice, LeavesEverythingElse) {
  for (const char* text : {"", "x", "\nECC: ", "\nECC: 3 Corrected bytes\n", "\nECC: No errors detected",
                           "\nECC: x Corrected bytes, 1 unrecoverable blocks\n", "ECC: No errors detected\n",
                           "\nECC: No errors detected\nmore"}) {
    absl::string_view record = text;
    EXPECT_FALSE(TakeEccNotice(&record)) << text;
    EXPECT_EQ(record, text);
  }
}

TEST(UnpackPstoreRecords, SaysThatARecordCannotBeDecompressed) {
  std::string noise;
  for (uint32_t i = 0, x = 1; i < 3000; ++i, x = x * 1664525 + 1013904223)
    noise.push_back(static_cast<char>(x >> 24));
  const Pieces pieces = Unpack({{"dmesg-nvram-1.enc.z", noise}});
  EXPECT_THAT(pieces.texts, IsEmpty());
  EXPECT_THAT(Codes(pieces), ElementsAre(DefectCode::kRecordUnreadable));
  EXPECT_EQ(pieces.defects[0].region, "dmesg-nvram-1.enc.z");
}

TEST(UnpackPstoreRecords, KeepsWhatStandsBeforeAStreamBreaksOff) {
  auto files = WritePstoreDump({.text = Log(300), .codec = RecordCodec::kDeflate});
  files[0].bytes.resize(files[0].bytes.size() / 2);
  const Pieces pieces = Unpack(files);
  ASSERT_THAT(pieces.texts, SizeIs(1));
  EXPECT_EQ(pieces.texts[0].text.substr(0, 1000), Log(300).substr(0, 1000));
  EXPECT_THAT(Codes(pieces), ElementsAre(DefectCode::kRecordUnreadable));
}

TEST(UnpackPstoreRecords, BoundsWhatDecompresses) {
  const std::string bomb = absl::StrCat("Panic#1 Part1\n", std::string(64 << 20, 'a'));
  for (const RecordCodec codec : kCodecs) {
    const RecordText record = ReadRecordText(BytesOf(CompressRecord(bomb, codec)));
    EXPECT_LE(record.text.size(), kMaxRecordTextBytes + 64 * 1024);
    EXPECT_FALSE(record.whole) << static_cast<int>(codec);
  }
}

TEST(UnpackPstoreRecords, HugePartNumbersCostNothing) {
  const Pieces pieces = Unpack({{"dmesg-nvram-1", "Panic#1 Part4294967295\na\n"}});
  ASSERT_THAT(pieces.texts, SizeIs(1));
  EXPECT_EQ(pieces.texts[0].text, "a\n<parts 4294967294 to 1 of this record are missing>\n");
}

TEST(UnpackPstoreRecords, ARecordWithoutHeaderIsADumpOfUnknownReason) {
  const Pieces pieces = Unpack({{"dmesg-ramoops-0", "[    1.000000] old kernel\n"}, {"dmesg-ramoops-1", ""}});
  ASSERT_THAT(pieces.texts, SizeIs(1));
  EXPECT_EQ(pieces.texts[0].kind, KernelText::Kind::kOtherDump);
  EXPECT_EQ(pieces.texts[0].name, "dmesg-ramoops-0");
}

TEST(LooksLikePstoreFile, GoesByNameOrByHeader) {
  EXPECT_TRUE(LooksLikePstoreFile("console-ramoops-0", {}));
  EXPECT_TRUE(LooksLikePstoreFile("saved", BytesOf("Oops#1 Part1\nx")));
  EXPECT_FALSE(LooksLikePstoreFile("mce-erst-12", BytesOf("x")));
  EXPECT_FALSE(LooksLikePstoreFile("dmesg.txt", BytesOf("[    0.000000] x")));
}

// liblzo2's own lzo1x_1_compress made it.
constexpr uint8_t kLzo[] = {
    0x00, 0x07, 0x50, 0x61, 0x6e, 0x69, 0x63, 0x23, 0x31, 0x20, 0x50, 0x61, 0x72, 0x74, 0x31,
    0x0a, 0x3c, 0x36, 0x3e, 0x5b, 0x20, 0x20, 0x20, 0x20, 0x30, 0x2e, 0x30, 0x80, 0x00, 0x00,
    0x03, 0x5d, 0x20, 0x4c, 0x69, 0x6e, 0x75, 0x78, 0x20, 0x76, 0x65, 0x72, 0x73, 0x69, 0x6f,
    0x6e, 0x20, 0x36, 0x2e, 0x31, 0x2e, 0x30, 0x31, 0x94, 0x00, 0x00, 0x04, 0x43, 0x6f, 0x6d,
    0x6d, 0x61, 0x6e, 0x64, 0x20, 0x6c, 0x69, 0x6e, 0x65, 0x3a, 0x20, 0x71, 0x75, 0x69, 0x65,
    0x74, 0x0a, 0x3c, 0x30, 0xad, 0x09, 0x31, 0x27, 0x2c, 0x01, 0x00, 0x0c, 0x4b, 0x65, 0x72,
    0x6e, 0x65, 0x6c, 0x20, 0x70, 0x61, 0x6e, 0x69, 0x63, 0x20, 0x2d, 0x20, 0x6e, 0x6f, 0x74,
    0x20, 0x73, 0x79, 0x6e, 0x63, 0x69, 0x6e, 0x67, 0x3a, 0x20, 0x78, 0x0a, 0x11, 0x00, 0x00};
constexpr char kLzoText[] =
    "Panic#1 Part1\n<6>[    0.000000] Linux version 6.1.0\n<6>[    0.000000] Command line: quiet\n"
    "<0>[    1.000000] Kernel panic - not syncing: x\n";

TEST(DecompressRecord, ReadsLzo) {
  const RecordText record = DecompressRecord(kLzo);
  EXPECT_EQ(record.codec, "lzo");
  EXPECT_TRUE(record.whole);
  EXPECT_EQ(record.text, kLzoText);
}

TEST(DecodeLzo1x, StopsAtEveryCutWithoutReadingFurther) {
  for (size_t size = 0; size + 1 < sizeof kLzo; ++size) {
    const std::vector<uint8_t> cut(kLzo, kLzo + size);  // of its own, so that a sanitizer sees its end
    const Lzo1xText text = DecodeLzo1x(cut, kMaxRecordTextBytes);
    EXPECT_FALSE(text.whole) << size;
    EXPECT_EQ(text.text, absl::string_view(kLzoText).substr(0, text.text.size()));
  }
}

TEST(DecodeLzo1x, HoldsItsLimit) {
  EXPECT_LE(DecodeLzo1x(kLzo, 20).text.size(), 20u);
  const std::vector<uint8_t> run = {0x00, 0, 0, 0, 0, 0, 0, 0, 1};
  EXPECT_THAT(DecodeLzo1x(run, 100).text, IsEmpty());
}

TEST(JoinTexts, EndsEveryPartWithItsLine) {
  EXPECT_EQ(JoinTexts({{2, "Oops#1 Part2\na"}, {1, "Oops#1 Part1\nb\n"}}).text, "a\nb\n");
  EXPECT_EQ(JoinTexts({}).text, "");
  EXPECT_EQ(JoinTexts({{0, "x"}}).missing, "");
}

}  // namespace
}  // namespace corefleet

#include "core/minidump/raw_dump.h"

#include <numeric>

#include "absl/strings/str_cat.h"
#include "core/minidump/raw_dump_header.h"
#include "core/minidump/raw_dump_writer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<uint8_t> Bytes(size_t size, uint8_t first) {
  std::vector<uint8_t> bytes(size);
  std::iota(bytes.begin(), bytes.end(), first);
  return bytes;
}

std::vector<RawDumpFile> SomeFiles() {
  return {{"md_KELF1.BIN", Bytes(100, 1), 0x19c0000},
          {"md_Kprb22.BIN", Bytes(8, 2), 0x41a38618},
          {"OCIMEM.BIN", Bytes(64, 3), 0x14680000},
          {"CPU_CTX.BIN", Bytes(50, 4), 0, RawSectionType::kCpuContext}};
}

Artifact ArtifactOf(const std::vector<uint8_t>& bytes) {
  Artifact artifact{.received = 7, .file_name = "rawdump", .bytes = std::make_shared<MemorySource>(bytes)};
  artifact.head.assign(bytes.begin(), bytes.begin() + std::min(bytes.size(), kArtifactHeadBytes));
  return artifact;
}

Pieces Unpack(const std::vector<uint8_t>& bytes) {
  Pieces pieces;
  UnpackRawDumps({ArtifactOf(bytes)}, nullptr, &pieces);
  return pieces;
}

// A container of records as given, whatever they say, with a payload of 256 bytes behind them.
std::vector<uint8_t> Container(RawDumpHeader header, const std::vector<RawDumpSection>& sections) {
  std::vector<uint8_t> bytes;
  if (header.section_count == 0) header.section_count = static_cast<uint32_t>(sections.size());
  AppendRawDumpHeader(header, &bytes);
  for (const RawDumpSection& section : sections) AppendRawDumpSection(section, &bytes);
  const std::vector<uint8_t> payload = Bytes(256, 0);
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  return bytes;
}

RawDumpSection Section(std::string name, uint64_t offset, uint64_t size) {
  RawDumpSection section;
  section.name = std::move(name);
  section.type = RawSectionType::kDdrRange;
  section.offset = offset;
  section.size = size;
  section.base = 0x80000000;
  return section;
}

RawDumpHeader HeaderOf(uint64_t dump_size) {
  RawDumpHeader header;
  header.dump_size = header.total_required = dump_size;
  return header;
}

std::vector<DefectCode> Codes(const Pieces& pieces) {
  std::vector<DefectCode> codes;
  for (const Defect& defect : pieces.defects) codes.push_back(defect.code);
  return codes;
}

std::string Details(const Pieces& pieces) {
  std::string text;
  for (const Defect& d : pieces.defects) absl::StrAppend(&text, DefectCodeName(d.code), " ", d.detail, "\n");
  return text;
}

TEST(RawDumpTest, SectionsBecomeRegionsAndArtifacts) {
  const Pieces pieces = Unpack(WriteRawDump(SomeFiles()));
  EXPECT_EQ(Details(pieces), "");
  ASSERT_THAT(pieces.regions, SizeIs(3));
  for (size_t i = 0; i < 3; ++i) {
    const Region& region = pieces.regions[i];
    const RawDumpFile file = SomeFiles()[i];
    EXPECT_EQ(region.kind, RegionKind::kMemory);
    EXPECT_EQ(region.file_name, file.name);
    EXPECT_EQ(region.paddr, file.base);
    EXPECT_EQ(region.table_size, file.bytes.size());
    EXPECT_EQ(region.container, 7u);
    EXPECT_EQ(*ReadBytes(*region.bytes, 0, region.bytes->size()), file.bytes);
  }
  ASSERT_THAT(pieces.artifacts, SizeIs(1));
  EXPECT_EQ(pieces.artifacts[0].file_name, "CPU_CTX.BIN");
  EXPECT_EQ(pieces.artifacts[0].received, 7u);
  EXPECT_EQ(pieces.artifacts[0].head, SomeFiles()[3].bytes);
}

TEST(RawDumpTest, TheScriptHasTheLastWordOnAddresses) {
  std::vector<RawDumpFile> files = SomeFiles();
  const std::string script = "d.load.binary ocimem.bin 0xfe800000\nd.load.binary CPU_CTX.BIN 0x1000\n";
  files.push_back({"load.cmm", {script.begin(), script.end()}, 0x5000});
  const Pieces pieces = Unpack(WriteRawDump(files));
  ASSERT_THAT(pieces.regions, SizeIs(3));
  EXPECT_EQ(pieces.regions[1].paddr, 0x41a38618u);
  EXPECT_EQ(pieces.regions[2].paddr, 0xfe800000u);
  EXPECT_THAT(pieces.artifacts, Contains(testing::Field(&Artifact::file_name, "load.cmm")));
}

TEST(RawDumpTest, TooShortForItsHeaderIsDamaged) {
  const std::vector<uint8_t> whole = WriteRawDump(SomeFiles());
  for (size_t size = 8; size < kRawDumpHeaderBytes; ++size) {
    const std::vector<uint8_t> bytes(whole.begin(), whole.begin() + size);
    EXPECT_TRUE(LooksLikeRawDump(bytes));
    EXPECT_THAT(Codes(Unpack(bytes)), ElementsAre(DefectCode::kContainerDamaged));
    EXPECT_EQ(MeasureRawDump(bytes).status().code(), absl::StatusCode::kOutOfRange);
  }
}

TEST(RawDumpTest, CutAnywhereItGivesWhatIsThere) {
  const std::vector<uint8_t> whole = WriteRawDump(SomeFiles());
  for (size_t size = kRawDumpHeaderBytes; size < whole.size(); ++size) {
    const Pieces pieces = Unpack({whole.begin(), whole.begin() + size});
    EXPECT_THAT(Codes(pieces), Contains(DefectCode::kContainerDamaged)) << size;
    for (const Region& region : pieces.regions) {
      EXPECT_GT(region.bytes->size(), 0u);
      EXPECT_LE(region.bytes->size(), *region.table_size);
    }
  }
}

TEST(RawDumpTest, ASectionCountBeyondTheFileIsDamage) {
  RawDumpHeader header = HeaderOf(UINT64_MAX);
  header.section_count = UINT32_MAX;
  const Pieces pieces = Unpack(Container(header, {Section("A.BIN", 200, 16)}));
  EXPECT_THAT(Details(pieces), HasSubstr("of 4294967295 section headers 5 could be read"));
}

TEST(RawDumpTest, HostileOffsetsAndSizesGiveNoBytesThatAreNotThere) {
  const uint64_t sizes[] = {1, 64, 1 << 20, uint64_t{1} << 63, UINT64_MAX};
  const uint64_t offsets[] = {0, 56, 119, 120, 375, 376, uint64_t{1} << 63, UINT64_MAX};
  for (const uint64_t size : sizes) {
    for (const uint64_t offset : offsets) {
      const Pieces pieces = Unpack(Container(HeaderOf(376), {Section("A.BIN", offset, size)}));
      const bool inside = offset >= 120 && offset < 376;
      ASSERT_THAT(pieces.regions, SizeIs(inside ? 1 : 0)) << offset << " " << size;
      const bool whole = inside && size <= 376 - offset;
      EXPECT_EQ(pieces.defects.empty(), whole) << offset << " " << size << Details(pieces);
      if (!inside) continue;
      EXPECT_EQ(pieces.regions[0].bytes->size(), std::min(size, 376 - offset));
    }
  }
}

TEST(RawDumpTest, NoByteIsGivenOutTwice) {
  const Pieces pieces = Unpack(Container(
      HeaderOf(696), {Section("A.BIN", 500, 100), Section("B.BIN", 450, 51), Section("C.BIN", 599, 10),
                      Section("D.BIN", 500, 100), Section("E.BIN", 520, 10), Section("F.BIN", 600, 20)}));
  EXPECT_THAT(pieces.regions, ElementsAre(testing::Field(&Region::file_name, "A.BIN"),
                                          testing::Field(&Region::file_name, "F.BIN")));
  EXPECT_THAT(Details(pieces), HasSubstr("B.BIN, C.BIN, D.BIN, E.BIN"));
}

TEST(RawDumpTest, ManySectionsOverOneAnotherAreBounded) {
  std::vector<RawDumpSection> sections(2 * kMaxRegions);
  for (RawDumpSection& section : sections) section = Section("A.BIN", 56 + 2 * kMaxRegions * 64, 256);
  const Pieces pieces = Unpack(Container(HeaderOf(1 << 20), sections));
  EXPECT_THAT(pieces.regions, SizeIs(1));
  EXPECT_LE(pieces.defects.size(), 4u);
}

// What lies behind the dump when storage ran out is an older dump's.
TEST(RawDumpTest, InsufficientStorageEndsWhereTheDumpEnds) {
  RawDumpHeader header = HeaderOf(200);
  header.flags = kRawDumpValid | kRawDumpNoRoom;
  header.total_required = 376;
  RawDumpSection cut = Section("md_Kprb_data25.BIN", 120, 256);
  cut.flags = kRawDumpValid | kRawDumpNoRoom;
  const Pieces pieces = Unpack(Container(header, {cut}));
  EXPECT_THAT(Details(pieces), HasSubstr("the storage held 200 of the 376 bytes"));
  ASSERT_THAT(pieces.regions, SizeIs(1));
  EXPECT_EQ(pieces.regions[0].bytes->size(), 80u);
  EXPECT_EQ(pieces.regions[0].table_size, 256u);
}

TEST(RawDumpTest, SectionsThatWereNotWrittenAreNamed) {
  const Pieces pieces = Unpack(WriteRawDump(SomeFiles(), {.room = 56 + 4 * 64 + 110}));
  EXPECT_THAT(Codes(pieces), ElementsAre(DefectCode::kInsufficientStorage, DefectCode::kInsufficientStorage));
  EXPECT_THAT(Details(pieces), HasSubstr("no room was left for 114 bytes of OCIMEM.BIN, CPU_CTX.BIN"));
  EXPECT_THAT(pieces.regions, SizeIs(2));
}

TEST(RawDumpTest, AnInvalidSectionIsKeptButIsNoMemory) {
  RawDumpSection stale = Section("md_Kprb22.BIN", 200, 8);
  stale.flags = 0;
  const Pieces pieces = Unpack(Container(HeaderOf(440), {Section("md_KELF1.BIN", 184, 16), stale}));
  ASSERT_THAT(pieces.regions, SizeIs(2));
  EXPECT_EQ(pieces.regions[0].kind, RegionKind::kMemory);
  EXPECT_EQ(pieces.regions[1].kind, RegionKind::kArtifact);
  EXPECT_THAT(Codes(pieces), ElementsAre(DefectCode::kContainerDamaged));
  // A firmware that never sets the flag means nothing by it.
  const Pieces unused = Unpack(Container(HeaderOf(376), {[&] {
                                           RawDumpSection section = Section("md_KELF1.BIN", 120, 16);
                                           section.flags = 0;
                                           return section;
                                         }()}));
  ASSERT_THAT(unused.regions, SizeIs(1));
  EXPECT_EQ(unused.regions[0].kind, RegionKind::kMemory);
}

TEST(RawDumpTest, ADumpThatIsNotFinishedSaysSo) {
  RawDumpHeader header = HeaderOf(376);
  header.flags = 0;
  const std::vector<uint8_t> bytes = Container(header, {Section("A.BIN", 120, 16)});
  EXPECT_THAT(Details(Unpack(bytes)), HasSubstr("does not call itself valid"));
  EXPECT_FALSE(MeasureRawDump(bytes)->valid);
}

TEST(RawDumpTest, NamesAreBytes) {
  const Pieces pieces =
      Unpack(Container(HeaderOf(632), {Section("../../../etc/passwd", 400, 4), Section("\x1b[2J\xff", 404, 4),
                                       Section("", 408, 4), Section("md_Kunknown99999.BINX", 0, 4)}));
  EXPECT_THAT(pieces.regions, ElementsAre(testing::Field(&Region::file_name, "../../../etc/passwd"),
                                          testing::Field(&Region::file_name, "\x1b[2J\xff"),
                                          testing::Field(&Region::file_name, "section2")));
  // The fourth claims the header's bytes; its name fills the field, and has no control character in a defect.
  EXPECT_THAT(Details(pieces), HasSubstr("md_Kunknown99999.BIN;"));
}

TEST(RawDumpTest, AMarkOfZerosNeedsAllElseToBeADump) {
  const std::vector<uint8_t> zeroed = WriteRawDump(SomeFiles(), {.mark = RawDumpMark::kZeroed});
  EXPECT_TRUE(LooksLikeRawDump(zeroed));
  EXPECT_THAT(Codes(Unpack(zeroed)), ElementsAre(DefectCode::kCollectedBefore));
  EXPECT_FALSE(LooksLikeRawDump(std::vector<uint8_t>(4096)));
  // The version, the flags, the count, the first section's name: each alone gives it away.
  for (const size_t at : {8, 12, 53, 56 + 8, 56 + 44}) {
    std::vector<uint8_t> other = zeroed;
    other[at] ^= 0x90;
    EXPECT_FALSE(LooksLikeRawDump(other)) << at;
  }
  EXPECT_EQ(MeasureRawDump(std::vector<uint8_t>(4096)).status().code(), absl::StatusCode::kNotFound);
}

TEST(RawDumpTest, AMeasureIsTheDumpAndNotThePartition) {
  std::vector<uint8_t> bytes = WriteRawDump(SomeFiles());
  const uint64_t size = bytes.size();
  bytes.resize(bytes.size() + 100000, 0xff);
  const auto extent = MeasureRawDump(bytes);
  ASSERT_TRUE(extent.ok());
  EXPECT_EQ(extent->bytes, size);
  EXPECT_TRUE(extent->valid);
  EXPECT_FALSE(extent->consumed);
}

TEST(RawDumpTest, AMeasureCoversHeadersAndSections) {
  EXPECT_EQ(MeasureRawDump(Container(HeaderOf(0), {Section("A.BIN", 120, 16)}))->bytes, 136u);
  EXPECT_EQ(MeasureRawDump(Container(HeaderOf(5), {}))->bytes, kRawDumpHeaderBytes);
  // An end that leaves 64 bits measures nothing.
  EXPECT_EQ(MeasureRawDump(Container(HeaderOf(376), {Section("A.BIN", UINT64_MAX, 16)}))->bytes, 376u);
}

TEST(RawDumpTest, OnlyADumpsMarkIsPutBack) {
  std::vector<uint8_t> other(4096, 0);
  NormaliseRawDumpMark(absl::MakeSpan(other));
  EXPECT_EQ(other, std::vector<uint8_t>(4096, 0));
  std::vector<uint8_t> tiny(3, 0);
  NormaliseRawDumpMark(absl::MakeSpan(tiny));
  EXPECT_EQ(tiny, std::vector<uint8_t>(3, 0));
}

}  // namespace
}  // namespace corefleet

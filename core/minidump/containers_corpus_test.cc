// Real crashes in every wrapping that firmware and tools give them: the core must be the one of the folder.
#include <algorithm>
#include <functional>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/digest/digest.h"
#include "core/minidump/qaic_writer.h"
#include "core/minidump/raw_dump.h"
#include "core/minidump/raw_dump_writer.h"
#include "core/minidump/tables_writer.h"
#include "core/rebuild.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/corpus.h"

namespace corefleet {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr char kLogText[] = "md_Kprb_data25.BIN";

const std::vector<CorpusCase>& Corpus() {
  static const auto* const corpus = new std::vector<CorpusCase>(ReadCorpus());
  return *corpus;
}

std::string Defects(const std::vector<Defect>& defects) {
  std::string text;
  for (const Defect& d : defects) {
    absl::StrAppend(&text, DefectCodeName(d.code), " [", d.region, "] ", d.detail, "\n");
  }
  return text;
}

std::vector<DefectCode> Codes(const CoreImage& image) {
  std::vector<DefectCode> codes;
  for (const Defect& defect : image.defects) codes.push_back(defect.code);
  return codes;
}

std::string DigestOf(const ByteSource& source) { return HexOf(*Sha256Of(source)); }

// Everything of an image that whoever reads the core can see.
std::string SeenOf(const Rebuilt& rebuilt) {
  const CoreImage& image = rebuilt.image;
  std::string seen =
      absl::StrCat(image.series, " machine ", image.e_machine, " header ", image.header_size, " vmcoreinfo ",
                   image.vmcoreinfo_size, " ", image.command_line, "\n", image.vmcoreinfo.text());
  for (const Segment& segment : image.segments) {
    absl::StrAppend(&seen, segment.name, " ", segment.id.value_or(0), " v", segment.has_vaddr, " 0x",
                    absl::Hex(segment.vaddr), " p", segment.has_paddr, " 0x", absl::Hex(segment.paddr), " ",
                    segment.size, " ", segment.available, " ",
                    segment.region ? DigestOf(*rebuilt.set.regions[*segment.region].bytes) : "-", "\n");
  }
  return seen;
}

std::string RowFile(const AddressRow& row) { return FileNameOfRow(row); }

std::vector<AddressRow> RowsOf(const CorpusCase& crash) {
  return ParseAddressTable(BytesOf(crash.file("minidump_toc.bin"))).rows;
}

std::vector<uint8_t> FileOf(const CorpusCase& crash, const AddressRow& row) {
  const auto file = crash.files.find(RowFile(row));
  if (file == crash.files.end()) return {};
  return std::vector<uint8_t>(file->second.begin(), file->second.end());
}

Region FileRegion(RegionKind kind, std::string file_name, std::vector<uint8_t> bytes) {
  Region region;
  region.kind = kind;
  region.file_name = std::move(file_name);
  region.bytes = std::make_shared<MemorySource>(std::move(bytes));
  return region;
}

RegionSet OneFile(std::string file_name, std::vector<uint8_t> bytes) {
  return {{FileRegion(RegionKind::kArtifact, std::move(file_name), std::move(bytes))}};
}

std::vector<RawDumpFile> RawFilesOf(const CorpusCase& crash) {
  std::vector<RawDumpFile> files;
  for (const AddressRow& row : RowsOf(crash)) {
    if (crash.files.count(RowFile(row)) != 0) files.push_back({RowFile(row), FileOf(crash, row), row.paddr});
  }
  return files;
}

Rebuilt OfRawDump(const std::vector<RawDumpFile>& files, const RawDumpStorage& storage = {}) {
  return Rebuild(OneFile("rawdump", WriteRawDump(files, storage)), nullptr);
}

Rebuilt OfFolder(const CorpusCase& crash) { return Rebuild(RegionsOf(crash, WithTable::kYes), nullptr); }

TEST(RawDumpCorpusTest, APartitionGivesTheFoldersCore) {
  for (const CorpusCase& crash : Corpus()) {
    const Rebuilt folder = OfFolder(crash);
    const Rebuilt partition = OfRawDump(RawFilesOf(crash));
    EXPECT_EQ(SeenOf(partition), SeenOf(folder)) << crash.name;
    EXPECT_EQ(Defects(partition.image.defects), Defects(folder.image.defects)) << crash.name;
    EXPECT_EQ(partition.image.source, "rawdump");
  }
}

TEST(RawDumpCorpusTest, TheRestOfThePartitionIsNobodys) {
  const CorpusCase& crash = Corpus().front();
  std::vector<uint8_t> bytes = WriteRawDump(RawFilesOf(crash));
  const std::vector<uint8_t> older = WriteRawDump(RawFilesOf(Corpus().back()));
  bytes.insert(bytes.end(), older.begin(), older.end());
  const Rebuilt partition = Rebuild(OneFile("logdump.img", bytes), nullptr);
  EXPECT_EQ(SeenOf(partition), SeenOf(OfFolder(crash)));
  EXPECT_EQ(Defects(partition.image.defects), "");
}

TEST(RawDumpCorpusTest, AConsumedMarkChangesNothingElse) {
  const CorpusCase& crash = Corpus().front();
  const std::string fresh = SeenOf(OfRawDump(RawFilesOf(crash)));
  for (const RawDumpMark mark : {RawDumpMark::kMiniDump, RawDumpMark::kCopyDone, RawDumpMark::kZeroed}) {
    const Rebuilt consumed = OfRawDump(RawFilesOf(crash), {.mark = mark});
    EXPECT_EQ(SeenOf(consumed), fresh);
    EXPECT_THAT(Codes(consumed.image), testing::ElementsAre(DefectCode::kCollectedBefore));
  }
}

TEST(RawDumpCorpusTest, AMarkPutBackGivesTheSameBytes) {
  const std::vector<uint8_t> fresh = WriteRawDump(RawFilesOf(Corpus().front()));
  for (const RawDumpMark mark : {RawDumpMark::kMiniDump, RawDumpMark::kCopyDone, RawDumpMark::kZeroed}) {
    std::vector<uint8_t> consumed = WriteRawDump(RawFilesOf(Corpus().front()), {.mark = mark});
    ASSERT_NE(consumed, fresh);
    const auto extent = MeasureRawDump(absl::MakeConstSpan(consumed).subspan(0, kArtifactHeadBytes));
    ASSERT_TRUE(extent.ok());
    EXPECT_TRUE(extent->consumed);
    EXPECT_EQ(extent->bytes, fresh.size());
    NormaliseRawDumpMark(absl::MakeSpan(consumed).subspan(0, kArtifactHeadBytes));
    EXPECT_EQ(consumed, fresh);
  }
}

TEST(RawDumpCorpusTest, ASectionCutByTheEndOfTheFileIsATruncatedRegion) {
  for (const CorpusCase& crash : Corpus()) {
    std::vector<RawDumpFile> files = RawFilesOf(crash);
    std::stable_partition(files.begin(), files.end(),
                          [](const RawDumpFile& file) { return file.name != kLogText; });
    std::vector<uint8_t> bytes = WriteRawDump(files);
    bytes.resize(bytes.size() - files.back().bytes.size() / 2);
    const Rebuilt cut = Rebuild(OneFile("rawdump.img", bytes), nullptr);
    EXPECT_THAT(Codes(cut.image), Contains(DefectCode::kContainerDamaged));
    EXPECT_THAT(Codes(cut.image), Contains(DefectCode::kRegionTruncated)) << Defects(cut.image.defects);

    RegionSet set = RegionsOf(crash, WithTable::kYes);
    for (Region& region : set.regions) {
      if (region.file_name == kLogText)
        region.bytes = WindowOf(region.bytes, 0, (region.bytes->size() + 1) / 2);
    }
    EXPECT_EQ(SeenOf(cut), SeenOf(Rebuild(set, nullptr))) << crash.name;
  }
}

TEST(RawDumpCorpusTest, InsufficientStorageLeavesThatRegionOut) {
  for (const CorpusCase& crash : Corpus()) {
    std::vector<RawDumpFile> files = RawFilesOf(crash);
    const uint64_t whole = WriteRawDump(files).size();
    // The largest region is the only one that does not fit.
    const auto largest = std::max_element(files.begin(), files.end(), [](const auto& a, const auto& b) {
      return a.bytes.size() < b.bytes.size();
    });
    const std::string name = largest->name;
    const Rebuilt partial = OfRawDump(files, {.room = whole - largest->bytes.size()});
    EXPECT_THAT(Codes(partial.image), Contains(DefectCode::kInsufficientStorage));
    EXPECT_THAT(Codes(partial.image), Contains(DefectCode::kRegionMissing));
    EXPECT_THAT(Defects(partial.image.defects), HasSubstr(name));

    RegionSet set = RegionsOf(crash, WithTable::kYes);
    set.regions.erase(std::find_if(set.regions.begin(), set.regions.end(),
                                   [&](const Region& region) { return region.file_name == name; }));
    EXPECT_EQ(SeenOf(partial), SeenOf(Rebuild(set, nullptr))) << crash.name;
  }
}

std::vector<uint8_t> ReadAt(const CoreImage& image, uint64_t paddr, uint64_t size) {
  std::vector<uint8_t> bytes(size);
  return image.ReadPhysical(paddr, absl::MakeSpan(bytes)).ok() ? bytes : std::vector<uint8_t>();
}

TEST(RawDumpCorpusTest, WhatOtherProcessorsLeftMovesNoRegion) {
  for (const CorpusCase& crash : Corpus()) {
    std::vector<RawDumpFile> files = RawFilesOf(crash);
    const std::string plain = SeenOf(OfRawDump(files));
    files.insert(files.begin(), {"OCIMEM.BIN", std::vector<uint8_t>(4096, 0xab), 0x14680000});
    files.insert(files.begin() + 9, {"md_modem_log.BIN", std::vector<uint8_t>(64, 0xcd), 0x8ab00000});
    files.push_back({"CPU_CTX.BIN", std::vector<uint8_t>(512, 0xef), 0, RawSectionType::kCpuContext});
    const Rebuilt rebuilt = OfRawDump(files);
    // It stands behind everything that is Linux's, at its own address.
    EXPECT_EQ(SeenOf(rebuilt).substr(0, plain.size()), plain) << crash.name;
    EXPECT_EQ(ReadAt(rebuilt.image, 0x14680000, 4096), std::vector<uint8_t>(4096, 0xab));
    EXPECT_EQ(ReadAt(rebuilt.image, 0x8ab00000, 64), std::vector<uint8_t>(64, 0xcd));
    EXPECT_EQ(Defects(rebuilt.image.defects), Defects(OfFolder(crash).image.defects)) << crash.name;
  }
}

// A region that is missing leaves a hole of its size, and what is not Linux's must not fall into it.
TEST(RawDumpCorpusTest, WhatOtherProcessorsLeftFillsNoHole) {
  for (const CorpusCase& crash : Corpus()) {
    std::vector<RawDumpFile> files = RawFilesOf(crash);
    const auto gone = std::find_if(files.begin(), files.end(),
                                   [](const RawDumpFile& file) { return file.name == kLogText; });
    const RawDumpFile lost = *gone;
    *gone = {"OCIMEM.BIN", std::vector<uint8_t>(lost.bytes.size(), 0xab), 0x14680000};
    const Rebuilt rebuilt = OfRawDump(files);
    EXPECT_THAT(ReadAt(rebuilt.image, lost.base, 64), IsEmpty()) << crash.name;
    EXPECT_EQ(ReadAt(rebuilt.image, 0x14680000, 64), std::vector<uint8_t>(64, 0xab));
    EXPECT_THAT(Codes(rebuilt.image), Not(Contains(DefectCode::kRegionMislabelled)));
    EXPECT_THAT(Codes(rebuilt.image), Not(Contains(DefectCode::kRegionUnplaced)));
  }
}

TEST(RawDumpCorpusTest, WholeMemoryIsReadByPhysicalAddress) {
  std::vector<uint8_t> first(1 << 20, 0x11), second(1 << 20, 0x22);
  std::vector<RawDumpFile> ranges = {{"DDRCS0_0.BIN", first, 0x80000000},
                                     {"DDRCS0_1.BIN", second, 0x80100000}};
  const Rebuilt alone = OfRawDump(ranges);
  EXPECT_EQ(ReadAt(alone.image, 0x800fffff, 2), (std::vector<uint8_t>{0x11, 0x22}));
  // Beside a minidump the regions answer for their own bytes, and the rest of memory is there too.
  const CorpusCase& crash = Corpus().front();
  std::vector<RawDumpFile> both = RawFilesOf(crash);
  const std::string plain = SeenOf(OfRawDump(both));
  both.insert(both.begin(), ranges.begin(), ranges.end());
  const Rebuilt beside = OfRawDump(both);
  EXPECT_EQ(SeenOf(beside).substr(0, plain.size()), plain);
  EXPECT_EQ(ReadAt(beside.image, 0x800fffff, 2), (std::vector<uint8_t>{0x11, 0x22}));
}

TEST(QaicCorpusTest, ABlobGivesTheFoldersCore) {
  for (const CorpusCase& crash : Corpus()) {
    std::vector<QaicFile> files;
    for (const AddressRow& row : RowsOf(crash)) {
      if (crash.files.count(RowFile(row)) == 0) continue;
      files.push_back({RowFile(row), "md_" + row.name, row.paddr, FileOf(crash, row)});
    }
    const Rebuilt folder = OfFolder(crash);
    for (const Endian endian : {Endian::kLittle, Endian::kBig}) {
      const Rebuilt blob = Rebuild(OneFile("devcd1.bin", WriteQaic(files, endian)), nullptr);
      EXPECT_EQ(SeenOf(blob), SeenOf(folder)) << crash.name;
      EXPECT_EQ(Defects(blob.image.defects), Defects(folder.image.defects)) << crash.name;
      EXPECT_EQ(blob.image.source, "qaic");
    }
  }
}

constexpr TableForm kForms[] = {TableForm::kRegionRows, TableForm::kSahara64, TableForm::kSahara32,
                                TableForm::kEdlLog,     TableForm::kDumpInfo, TableForm::kLoadScript};

// A case's folder with that table, sent as what a source adapter sends it as.
RegionSet WithTableOf(const CorpusCase& crash, TableForm form, RegionKind kind) {
  RegionSet set = RegionsOf(crash, WithTable::kNo);
  set.regions.push_back(FileRegion(kind, "table", WriteTable(form, RowsOf(crash))));
  return set;
}

TEST(TablesCorpusTest, EveryFormGivesTheSameCore) {
  for (const CorpusCase& crash : Corpus()) {
    const Rebuilt folder = OfFolder(crash);
    for (const TableForm form : kForms) {
      for (const RegionKind kind : {RegionKind::kAddressTable, RegionKind::kArtifact}) {
        const Rebuilt rebuilt = Rebuild(WithTableOf(crash, form, kind), nullptr);
        EXPECT_EQ(SeenOf(rebuilt), SeenOf(folder)) << crash.name << " with " << TableFormWords(form);
        EXPECT_EQ(Defects(rebuilt.image.defects), Defects(folder.image.defects))
            << crash.name << " with " << TableFormWords(form);
      }
    }
  }
}

RegionSet WithoutFile(RegionSet set, absl::string_view file_name) {
  set.regions.erase(std::find_if(set.regions.begin(), set.regions.end(),
                                 [&](const Region& region) { return region.file_name == file_name; }));
  return set;
}

// Without the header region the table is all that places anything.
TEST(TablesCorpusTest, EveryFormPlacesAHeaderlessSet) {
  for (const CorpusCase& crash : Corpus()) {
    const Rebuilt folder = Rebuild(WithoutFile(RegionsOf(crash, WithTable::kYes), "md_KELF1.BIN"), nullptr);
    for (const TableForm form : kForms) {
      const RegionSet set = WithoutFile(WithTableOf(crash, form, RegionKind::kArtifact), "md_KELF1.BIN");
      const Rebuilt rebuilt = Rebuild(set, nullptr);
      EXPECT_EQ(SeenOf(rebuilt), SeenOf(folder)) << crash.name << " with " << TableFormWords(form);
    }
  }
}

TEST(TablesCorpusTest, FormsThatAgreeAreFineTogether) {
  const CorpusCase& crash = Corpus().front();
  RegionSet set = RegionsOf(crash, WithTable::kYes);
  for (const TableForm form : kForms) {
    set.regions.push_back(FileRegion(RegionKind::kArtifact, "table", WriteTable(form, RowsOf(crash))));
  }
  for (int turn = 0; turn < 7; ++turn) {
    std::rotate(set.regions.begin(), set.regions.begin() + 11, set.regions.end());
    const Rebuilt rebuilt = Rebuild(set, nullptr);
    EXPECT_EQ(SeenOf(rebuilt), SeenOf(OfFolder(crash)));
    EXPECT_EQ(Defects(rebuilt.image.defects), "");
  }
}

TEST(TablesCorpusTest, WhereFormsDisagreeTheOneThatSaysMoreIsBelieved) {
  const CorpusCase& crash = Corpus().front();
  std::vector<AddressRow> wrong = RowsOf(crash);
  wrong[20].paddr += 0x1000;
  RegionSet set = WithoutFile(RegionsOf(crash, WithTable::kYes), "md_KELF1.BIN");
  const std::string right = SeenOf(Rebuild(set, nullptr));
  set.regions.insert(set.regions.begin(), FileRegion(RegionKind::kArtifact, "load.cmm",
                                                     WriteTable(TableForm::kLoadScript, wrong)));
  const Rebuilt rebuilt = Rebuild(set, nullptr);
  EXPECT_THAT(Codes(rebuilt.image), Contains(DefectCode::kAddressTableDamaged));
  std::string seen = SeenOf(rebuilt);
  EXPECT_EQ(seen, right);
}

TEST(TablesCorpusTest, ATableInsideOfAContainerIsATable) {
  const CorpusCase& crash = Corpus().front();
  std::vector<RawDumpFile> files = RawFilesOf(crash);
  // A firmware that knows no addresses, but wrote the debugger's script that does.
  for (RawDumpFile& file : files) file.type = RawSectionType::kVendorSpecific;
  const std::vector<uint8_t> script = WriteTable(TableForm::kLoadScript, RowsOf(crash));
  for (const absl::string_view name : {"load.cmm", "LOAD.CMM"}) {
    std::vector<RawDumpFile> with_script = files;
    with_script.push_back({std::string(name), script, 0, RawSectionType::kVendorSpecific});
    const Rebuilt rebuilt = OfRawDump(with_script);
    EXPECT_EQ(SeenOf(rebuilt), SeenOf(OfFolder(crash)));
    EXPECT_EQ(Defects(rebuilt.image.defects), "");
  }
}

// What tools and file systems do to names.
TEST(TablesCorpusTest, NamesJoinWhateverTheirCaseEndingOrVirtualMachine) {
  const std::map<std::string, std::function<std::string(std::string)>> spellings = {
      {"lower", [](std::string name) { return absl::AsciiStrToLower(name); }},
      {"upper", [](std::string name) { return absl::AsciiStrToUpper(name); }},
      {".bin", [](std::string name) { return name.substr(0, name.size() - 3) + "bin"; }},
      {"folder", [](std::string name) { return "memory/" + name; }},
      {"virtual machine", [](std::string name) { return "md_31_" + name.substr(3); }},
  };
  const CorpusCase& crash = Corpus().front();
  for (const TableForm form : kForms) {
    for (const auto& [what, spell] : spellings) {
      RegionSet set = WithoutFile(WithTableOf(crash, form, RegionKind::kArtifact), "md_KELF1.BIN");
      const Rebuilt plain = Rebuild(set, nullptr);
      for (Region& region : set.regions) {
        if (region.kind != RegionKind::kMemory) continue;
        region.file_name = spell(region.file_name);
        region.name.clear();
        region.id.reset();
      }
      const Rebuilt spelt = Rebuild(set, nullptr);
      EXPECT_EQ(absl::AsciiStrToLower(SeenOf(spelt)), absl::AsciiStrToLower(SeenOf(plain)))
          << TableFormWords(form) << " and " << what;
    }
  }
}

// Two virtual machines' regions of one name each, and one table of both.
TEST(TablesCorpusTest, VirtualMachinesAreToldApartByTheirFiles) {
  const std::vector<AddressRow> rows = {
      {.name = "", .paddr = 0x80000000, .size = 16, .valid = true, .file_name = "md_2d_Kthing60.BIN"},
      {.name = "", .paddr = 0x90000000, .size = 16, .valid = true, .file_name = "md_31_Kthing60.BIN"}};
  RegionSet set;
  set.regions.push_back(
      FileRegion(RegionKind::kMemory, "md_2d_Kthing60.BIN", std::vector<uint8_t>(16, 0x2d)));
  set.regions.push_back(
      FileRegion(RegionKind::kMemory, "md_31_Kthing60.BIN", std::vector<uint8_t>(16, 0x31)));
  set.regions.push_back(
      FileRegion(RegionKind::kAddressTable, "sahara.bin", WriteTable(TableForm::kSahara64, rows)));
  const Rebuilt rebuilt = Rebuild(set, nullptr);
  for (const auto& [address, byte] : {std::pair<uint64_t, uint8_t>{0x80000000, 0x2d}, {0x90000000, 0x31}}) {
    uint8_t there = 0;
    ASSERT_TRUE(rebuilt.image.ReadPhysical(address, absl::MakeSpan(&there, 1)).ok());
    EXPECT_EQ(there, byte);
  }
}

// A tool lists everything that the device offered. What nobody fetched of other processors is no loss.
TEST(TablesCorpusTest, RowsOfOtherProcessorsAreNoMissingRegions) {
  const CorpusCase& crash = Corpus().front();
  std::vector<AddressRow> rows = RowsOf(crash);
  const RegionSet plain =
      WithoutFile(WithTableOf(crash, TableForm::kSahara64, RegionKind::kArtifact), "md_KELF1.BIN");
  rows.push_back({.paddr = 0x14680000, .size = 0x40000, .valid = true, .file_name = "OCIMEM.BIN"});
  rows.push_back({.paddr = 0x8ab00000, .size = 64, .valid = true, .file_name = "md_modem_log.BIN"});
  RegionSet set = plain;
  set.regions.back() = FileRegion(RegionKind::kArtifact, "table", WriteTable(TableForm::kSahara64, rows));
  EXPECT_EQ(SeenOf(Rebuild(set, nullptr)), SeenOf(Rebuild(plain, nullptr)));
}

TEST(TablesCorpusTest, NoFileOfAFolderIsTakenForATable) {
  for (const CorpusCase& crash : Corpus()) {
    for (const auto& [name, bytes] : crash.files) {
      const ByteView head = BytesOf(bytes).subspan(0, kArtifactHeadBytes);
      const TableForm form = RecogniseTable(name, head, bytes.size());
      EXPECT_EQ(form, name == "minidump_toc.bin" ? TableForm::kRegionRows : TableForm::kNone)
          << crash.name << "/" << name << " is taken for " << TableFormWords(form);
      EXPECT_FALSE(LooksLikeRawDump(head)) << crash.name << "/" << name;
    }
  }
}

}  // namespace
}  // namespace corefleet

#include "core/minidump/tables.h"

#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/minidump/tables_writer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::SizeIs;

constexpr TableForm kForms[] = {TableForm::kRegionRows, TableForm::kSahara64, TableForm::kSahara32,
                                TableForm::kEdlLog,     TableForm::kDumpInfo, TableForm::kLoadScript};

std::vector<AddressRow> SomeRows() {
  return {{.name = "KELF", .id = 1, .paddr = 0x019c0000, .size = 15604, .valid = true},
          {.name = "Kvmcorein", .id = 2, .paddr = 0x019c5000, .size = 3264, .valid = true},
          {.name = "Kprb_info", .id = 24, .paddr = 0x41a38618, .size = 0x58000, .valid = true}};
}

TableForm Recognise(ByteView bytes) { return RecogniseTable("table", bytes, bytes.size()); }
TableForm Recognise(absl::string_view text) { return Recognise(BytesOf(text)); }

AddressTable ParseTextOf(absl::string_view text) { return ParseAnyTable(Recognise(text), BytesOf(text)); }

TEST(TablesTest, EveryFormSaysTheSame) {
  for (const TableForm form : kForms) {
    SCOPED_TRACE(std::string(TableFormWords(form)));
    const std::vector<uint8_t> bytes = WriteTable(form, SomeRows());
    ASSERT_EQ(Recognise(bytes), form);
    const AddressTable table = ParseAnyTable(form, bytes);
    EXPECT_FALSE(table.damaged);
    ASSERT_THAT(table.rows, SizeIs(3));
    for (size_t i = 0; i < table.rows.size(); ++i) {
      const AddressRow row = table.rows[i], wanted = SomeRows()[i];
      EXPECT_EQ(row.name, wanted.name);
      EXPECT_EQ(row.id, wanted.id);
      EXPECT_EQ(row.paddr, wanted.paddr);
      EXPECT_EQ(row.size, form == TableForm::kLoadScript ? 0 : wanted.size);
      EXPECT_TRUE(row.valid);
      EXPECT_EQ(row.file_name, form == TableForm::kRegionRows ? "" : FileNameOfRow(wanted));
    }
  }
}

TEST(TablesTest, OtherProcessorsRowsKeepTheirFilesName) {
  const std::vector<AddressRow> rows = {
      {.paddr = 0x14680000, .size = 4096, .valid = true, .file_name = "OCIMEM.BIN"},
      {.paddr = 0x8ab00000, .size = 64, .valid = true, .file_name = "md_modem_log.BIN"},
      {.paddr = 0x80000000, .size = 64, .valid = true, .file_name = "md_31_KELF_HDR.BIN"}};
  for (const TableForm form : {TableForm::kSahara64, TableForm::kSahara32, TableForm::kEdlLog,
                               TableForm::kDumpInfo, TableForm::kLoadScript}) {
    const std::vector<uint8_t> bytes = WriteTable(form, rows);
    ASSERT_EQ(Recognise(bytes), form);
    const AddressTable table = ParseAnyTable(form, bytes);
    EXPECT_THAT(table.rows,
                ElementsAre(Field(&AddressRow::name, "OCIMEM"), Field(&AddressRow::name, "md_modem_log"),
                            Field(&AddressRow::name, "KELF_HDR")));
    EXPECT_EQ(table.rows[0].id, 0u);
    EXPECT_EQ(table.rows[2].file_name, "md_31_KELF_HDR.BIN");
  }
}

TEST(TablesTest, ACutTableGivesItsWholeRows) {
  for (const TableForm form : kForms) {
    std::vector<uint8_t> bytes = WriteTable(form, SomeRows());
    for (; !bytes.empty(); bytes.pop_back()) {
      const TableForm seen = Recognise(bytes);
      if (seen == TableForm::kNone) continue;
      ASSERT_EQ(seen, form) << bytes.size();
      const AddressTable table = ParseAnyTable(seen, bytes);
      for (size_t i = 0; i < table.rows.size(); ++i) {
        EXPECT_EQ(table.rows[i].paddr, SomeRows()[i].paddr) << TableFormWords(form) << " " << bytes.size();
        if (form == TableForm::kLoadScript) continue;
        EXPECT_EQ(table.rows[i].size, SomeRows()[i].size) << TableFormWords(form) << " " << bytes.size();
      }
    }
  }
}

TEST(TablesTest, ABinaryTableCutInsideOfARowIsDamaged) {
  for (const TableForm form : {TableForm::kRegionRows, TableForm::kSahara64, TableForm::kSahara32}) {
    std::vector<uint8_t> bytes = WriteTable(form, SomeRows());
    bytes.resize(bytes.size() - 7);
    ASSERT_EQ(Recognise(bytes), form);
    const AddressTable table = ParseAnyTable(form, bytes);
    EXPECT_TRUE(table.damaged);
    EXPECT_THAT(table.rows, SizeIs(2));
  }
}

TEST(TablesTest, NamesMayFillTheirFieldsAndBeAnything) {
  const std::vector<AddressRow> rows = {
      {.paddr = 1 << 20, .size = 64, .valid = true, .file_name = "md_Kunknown123456.BIN"},
      {.paddr = 2 << 20, .size = 64, .valid = true, .file_name = "../../etc/cron.d/x"},
      {.paddr = 3 << 20, .size = 64, .valid = true, .file_name = "md_K.b.BIN"},
      {.paddr = 4 << 20, .size = 64, .valid = true, .file_name = "\xff\xfe\x80.BIN"}};
  for (const TableForm form : {TableForm::kSahara64, TableForm::kSahara32}) {
    const std::vector<uint8_t> bytes = WriteTable(form, rows);
    ASSERT_EQ(Recognise(bytes), form);
    const AddressTable table = ParseAnyTable(form, bytes);
    ASSERT_THAT(table.rows, SizeIs(4));
    EXPECT_EQ(table.rows[0].file_name, "md_Kunknown123456.BI");
    EXPECT_EQ(table.rows[1].file_name, "../../etc/cron.d/x");
    EXPECT_EQ(table.rows[3].file_name, "\xff\xfe\x80.BIN");
  }
}

TEST(TablesTest, RowsThatCannotBeAreLeftOut) {
  std::vector<AddressRow> rows = SomeRows();
  rows.push_back({.name = "Kfar", .id = 60, .paddr = UINT64_MAX - 3, .size = 64, .valid = true});
  rows.push_back({.name = "Khuge", .id = 61, .paddr = 0x80000000, .size = UINT64_MAX, .valid = true});
  for (const TableForm form : {TableForm::kSahara64, TableForm::kEdlLog}) {
    const AddressTable table = ParseAnyTable(form, WriteTable(form, rows));
    EXPECT_THAT(table.rows, SizeIs(3));
    EXPECT_TRUE(table.damaged);
  }
}

TEST(TablesTest, AreBounded) {
  const AddressRow row = {.name = "Kx", .id = 50, .paddr = 0x1000, .size = 8, .valid = true};
  for (const TableForm form : kForms) {
    std::vector<AddressRow> rows(2 * kMaxAddressRows, row);
    for (size_t i = 0; i < rows.size(); ++i) rows[i].file_name = absl::StrCat("md_Kx", i, ".BIN");
    const AddressTable table = ParseAnyTable(form, WriteTable(form, rows));
    EXPECT_THAT(table.rows, SizeIs(kMaxAddressRows)) << TableFormWords(form);
    EXPECT_TRUE(table.damaged);
  }
}

// What edl's terminal really holds: its own log lines, a progress bar that goes back with CR, other regions'
// failures, CRLF.
TEST(EdlLogTest, IsReadOutOfItsNoise) {
  const std::string log =
      "Qualcomm Sahara / Firehose Client V3.62 (c) B.Kerler 2018-2025.\r\n"
      "main - Waiting for the device\r\n"
      "main - Device detected :)\r\n"
      "sahara - Protocol version: 2, Version supported: 1\r\n"
      "md_KELF1.BIN(md_KELF1): Offset 0x19c0000, Length 0x3cf4, SavePref 0x1\r\n"
      "sahara - md_Kprb_info24.BIN(md_Kprb_info24): Offset 0x41a38618, Length 0x58000, SavePref 0x1\r\n"
      "OCIMEM.BIN(OCIMEM data): Offset 0x14680000, Length 0x40000, SavePref 0x2\r\n"
      "Dumping md_KELF1.BIN at 0x19c0000, length 0x3cf4\r\n"
      "\rProgress: |\xe2\x96\x88-----| 10.0% Complete\rProgress: |\xe2\x96\x88\xe2\x96\x88| 100.0% "
      "Complete\r\n"
      "Dumping md_Kprb_info24.BIN at 0x41a38618, length 0x58000\r\n"
      "sahara - [LIB]: Error dumping memory\r\n";
  EXPECT_EQ(Recognise(log), TableForm::kEdlLog);
  const AddressTable table = ParseTextOf(log);
  EXPECT_FALSE(table.damaged);
  ASSERT_THAT(table.rows, SizeIs(3));
  EXPECT_EQ(table.rows[0].name, "KELF");
  EXPECT_EQ(table.rows[1].id, 24u);
  EXPECT_EQ(table.rows[1].paddr, 0x41a38618u);
  EXPECT_EQ(table.rows[2].file_name, "OCIMEM.BIN");
}

TEST(EdlLogTest, WhatItSaysWhileReadingIsEnough) {
  const AddressTable table = ParseTextOf(
      "Dumping md_KELF1.BIN at 0x19c0000, length 0x3cf4\n"
      "Dumping md_Kprb22.BIN(md_Kprb22) at 0x0, length 0x8\n");
  ASSERT_THAT(table.rows, SizeIs(2));
  EXPECT_EQ(table.rows[0].size, 0x3cf4u);
  EXPECT_EQ(table.rows[1].file_name, "md_Kprb22.BIN");
}

TEST(EdlLogTest, ALineCutInItsNumberIsNotRead) {
  const AddressTable table = ParseTextOf(
      "Dumping md_KELF1.BIN at 0x19c0000, length 0x3cf4\n"
      "Dumping md_Kprb22.BIN at 0x41a38618, length 0x5");
  EXPECT_THAT(table.rows, SizeIs(1));
  EXPECT_TRUE(table.damaged);
}

TEST(DumpInfoTest, KeepsBlanksInDescriptions) {
  const AddressTable table = ParseTextOf(
      "1 0x0000000014680000\t          262144\tOCIMEM shared data  \tOCIMEM.BIN\r\n"
      "1 0x0000000080000000\t      2147483648\tDDR CS0 part0 Memory\tDDRCS0_0.BIN\r\n"
      "   2 0x0000000100000000   2147483648   DDRCS0_1   DDRCS0_1.BIN\r\n");
  EXPECT_THAT(table.rows, ElementsAre(Field(&AddressRow::file_name, "OCIMEM.BIN"),
                                      Field(&AddressRow::file_name, "DDRCS0_0.BIN"),
                                      Field(&AddressRow::file_name, "DDRCS0_1.BIN")));
  EXPECT_EQ(table.rows[1].size, 0x80000000u);
  EXPECT_EQ(table.rows[2].paddr, 0x100000000u);
}

TEST(LoadScriptTest, TakesItsOtherSpellings) {
  const AddressTable table = ParseTextOf(
      "; loads the dump\n"
      "sys.up\n"
      "d.load.binary OCIMEM.BIN 0x14680000 /noclear\n"
      "Data.LOAD.Binary \"memory\\md_KELF1.BIN\" A:0x19C0000\n"
      "d.load.elf vmlinux /nocode\n"
      "d.load.binary BAD.BIN somewhere\n"
      "d.load.binary BAD.BIN 0x10000000000000000\n");
  ASSERT_THAT(table.rows, SizeIs(2));
  EXPECT_EQ(table.rows[0].paddr, 0x14680000u);
  EXPECT_EQ(table.rows[1].file_name, "md_KELF1.BIN");
  EXPECT_EQ(table.rows[1].paddr, 0x19c0000u);
  EXPECT_EQ(table.rows[1].id, 1u);
}

TEST(RecogniseTableTest, ATableTooLargeToBeOneIsNone) {
  const std::vector<uint8_t> bytes = WriteTable(TableForm::kSahara64, SomeRows());
  EXPECT_EQ(RecogniseTable("t", bytes, uint64_t{1} << 40), TableForm::kNone);
}

TEST(RecogniseTableTest, NothingIsNone) {
  EXPECT_EQ(Recognise(""), TableForm::kNone);
  for (const TableForm form : kForms) {
    EXPECT_THAT(ParseAnyTable(form, {}).rows, SizeIs(0));
  }
}

TEST(RecogniseTableTest, RandomBytesAreNone) {
  std::mt19937_64 random(20261123);
  for (int round = 0; round < 4000; ++round) {
    std::vector<uint8_t> bytes(1 + random() % 2000);
    // Of few values, of text, of any: what memory is like.
    const int kind = round % 4;
    for (uint8_t& byte : bytes) {
      byte = kind == 0   ? random()
             : kind == 1 ? ' ' + random() % 95
             : kind == 2 ? (random() % 3 == 0 ? 'A' + random() % 26 : 0)
                         : "\n\r 0x123abcdef"[random() % 15];
    }
    EXPECT_EQ(Recognise(bytes), TableForm::kNone) << "round " << round;
  }
}

TEST(RecogniseTableTest, KernelLogsAndOtherTextsAreNone) {
  for (const absl::string_view text : {
           "[    0.000000] Linux version 6.1.0 (gcc) #1 SMP\n[    0.000000] Command line: console=ttyS0\n",
           "<6>[    1.000000] 1 0x0000000014680000 262144 OCIMEM\n<4>[    2.0] Dumping ftrace buffer:\n",
           "Dumping ftrace buffer:\n---------------------------------\n",
           "1 2 3 4\n5 6 7 8\n",
           "#!/bin/sh\necho d.load.binary a 0x10\n",
           "PID 1 at 0x1000, length 0x10\n",
           "[   12.345678] mydrv: Dumping fw.bin at 0x1000, length 0x10\n",
           "Dumping queue 3 at 0x1000, length 0x10\n",
       }) {
    EXPECT_EQ(Recognise(text), TableForm::kNone) << text;
  }
}

}  // namespace
}  // namespace corefleet

#include "core/minidump/tables_writer.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/minidump/append_record.h"
#include "core/minidump/sahara_rows.h"

namespace corefleet {
namespace {

constexpr uint32_t kRowInvalid = 0x494e5641;  // 'INVA'

void AppendText(absl::string_view text, std::vector<uint8_t>* out) {
  out->insert(out->end(), text.begin(), text.end());
}

std::string DescriptionOf(const AddressRow& row) {
  const std::string file_name = FileNameOfRow(row);
  return file_name.substr(0, file_name.rfind('.'));
}

void AppendRegionRow(const AddressRow& row, std::vector<uint8_t>* out) {
  AppendName(row.name, 16, out);
  AppendInteger(row.id, 4, Endian::kLittle, out);
  AppendInteger(row.valid ? kAddressRowValid : kRowInvalid, 4, Endian::kLittle, out);
  AppendInteger(row.paddr, 8, Endian::kLittle, out);
  AppendInteger(row.size, 8, Endian::kLittle, out);
}

void AppendSahara64Row(const AddressRow& row, std::vector<uint8_t>* out) {
  AppendInteger(1, 8, Endian::kLittle, out);
  AppendInteger(row.paddr, 8, Endian::kLittle, out);
  AppendInteger(row.size, 8, Endian::kLittle, out);
  AppendName(DescriptionOf(row), kSaharaNameBytes, out);
  AppendName(FileNameOfRow(row), kSaharaNameBytes, out);
}

void AppendSahara32Row(const AddressRow& row, std::vector<uint8_t>* out) {
  AppendInteger(1, 4, Endian::kLittle, out);
  AppendInteger(row.paddr, 4, Endian::kLittle, out);
  AppendInteger(row.size, 4, Endian::kLittle, out);
  AppendName(DescriptionOf(row), kSaharaNameBytes, out);
  AppendName(FileNameOfRow(row), kSaharaNameBytes, out);
}

// edl lists all rows first, and says then what it reads, among the bars of its progress.
void AppendEdlLog(const std::vector<AddressRow>& rows, std::vector<uint8_t>* out) {
  AppendText("sahara - Protocol version: 2, Version supported: 1\n", out);
  for (const AddressRow& row : rows) {
    AppendText(absl::StrFormat("%s(%s): Offset 0x%x, Length 0x%x, SavePref 0x1\n", FileNameOfRow(row),
                               DescriptionOf(row), row.paddr, row.size),
               out);
  }
  for (const AddressRow& row : rows) {
    AppendText(absl::StrFormat("Dumping %s at 0x%x, length 0x%x\n\rProgress: |%s| 100.0%% Complete\n",
                               FileNameOfRow(row), row.paddr, row.size, "\xe2\x96\x88\xe2\x96\x88"),
               out);
  }
}

}  // namespace

std::string FileNameOfRow(const AddressRow& row) {
  if (!row.file_name.empty()) return row.file_name;
  return absl::StrCat("md_", row.name, row.id == 0 ? "" : absl::StrCat(row.id), ".BIN");
}

std::vector<uint8_t> WriteTable(TableForm form, const std::vector<AddressRow>& rows) {
  std::vector<uint8_t> out;
  if (form == TableForm::kEdlLog) AppendEdlLog(rows, &out);
  for (const AddressRow& row : rows) {
    switch (form) {
      case TableForm::kNone:
      case TableForm::kEdlLog:
        break;
      case TableForm::kRegionRows:
        AppendRegionRow(row, &out);
        break;
      case TableForm::kSahara64:
        AppendSahara64Row(row, &out);
        break;
      case TableForm::kSahara32:
        AppendSahara32Row(row, &out);
        break;
      case TableForm::kDumpInfo:
        AppendText(absl::StrFormat("1 0x%016x\t%16d\t%-20s\t%s\n", row.paddr, row.size, DescriptionOf(row),
                                   FileNameOfRow(row)),
                   &out);
        break;
      case TableForm::kLoadScript:
        AppendText(absl::StrFormat("d.load.binary %s 0x%x\n", FileNameOfRow(row), row.paddr), &out);
        break;
    }
  }
  return out;
}

}  // namespace corefleet

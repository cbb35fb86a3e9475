#include "core/minidump/tables.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "core/meminspect/names.h"
#include "core/minidump/sahara_rows.h"
#include "core/minidump/text_tables.h"

namespace corefleet {
namespace {

constexpr size_t kMaxLines = 32 * 1024;

using LineParser = std::optional<TextRow> (*)(absl::string_view line);

// What a region table's row of the same region says: Kprb_info and 24 for md_Kprb_info24.BIN.
AddressRow RowOfFile(std::string file_name, uint64_t base, uint64_t size) {
  AddressRow row;
  if (std::optional<RegionFileName> parsed = ParseRegionFileName(file_name)) {
    row.name = std::move(parsed->name);
    row.id = parsed->id.value_or(0);
  } else {
    row.name = file_name.substr(0, file_name.rfind('.'));
  }
  row.paddr = base;
  row.size = size;
  row.valid = true;
  row.file_name = std::move(file_name);
  return row;
}

// More than half of the rows, and the first: no other file has printable names at these places of a row.
bool IsSaharaTable(ByteView bytes, SaharaWidth width) {
  const std::vector<SaharaRow> rows = ParseSaharaRows(bytes, width, Endian::kLittle, kMaxAddressRows);
  const size_t good =
      std::count_if(rows.begin(), rows.end(), [](const SaharaRow& row) { return IsPlausible(row); });
  return good * 2 > rows.size() && IsPlausible(rows.front());
}

AddressTable ParseSaharaTable(ByteView bytes, SaharaWidth width) {
  AddressTable table;
  table.damaged = bytes.size() % BytesOfRow(width) != 0 || bytes.size() / BytesOfRow(width) > kMaxAddressRows;
  for (SaharaRow& row : ParseSaharaRows(bytes, width, Endian::kLittle, kMaxAddressRows)) {
    const bool possible = !row.file_name.empty() && row.length != 0 && row.length <= kMaxPhysicalAddress &&
                          row.base <= kMaxPhysicalAddress - row.length;
    if (possible) {
      table.rows.push_back(RowOfFile(std::move(row.file_name), row.base, row.length));
    } else {
      table.damaged = true;
    }
  }
  return table;
}

bool HasNul(ByteView bytes) { return std::find(bytes.begin(), bytes.end(), 0) != bytes.end(); }

size_t CountRows(const TextLines& text, LineParser parse) {
  return std::count_if(text.lines.begin(), text.lines.end(),
                       [parse](absl::string_view line) { return parse(line).has_value(); });
}

// A kernel's own log may say that it dumps something; edl begins the line with it, and names a file.
size_t CountDumpingLines(const TextLines& text) {
  return std::count_if(text.lines.begin(), text.lines.end(), [](absl::string_view line) {
    const std::optional<TextRow> row = ParseEdlDumping(line);
    return row && absl::StartsWith(line, "Dumping ") && row->file_name.find('.') != std::string::npos &&
           row->file_name.find(' ') == std::string::npos;
  });
}

TableForm RecogniseText(ByteView head) {
  if (HasNul(head)) return TableForm::kNone;
  const TextLines text = SplitLines(TextOf(head), kMaxLines);
  // These lines nobody writes by chance; dump_info.txt's are mere numbers and must be most of the file.
  if (CountRows(text, &ParseLoadLine) > 0) return TableForm::kLoadScript;
  if (CountRows(text, &ParseEdlListing) + CountDumpingLines(text) > 0) return TableForm::kEdlLog;
  if (CountRows(text, &ParseDumpInfoLine) * 2 > text.lines.size()) return TableForm::kDumpInfo;
  return TableForm::kNone;
}

void AddTextRows(TextLines text, LineParser parse, AddressTable* table) {
  for (const absl::string_view line : text.lines) {
    std::optional<TextRow> row = parse(line);
    if (!row) continue;
    if (row->base > kMaxPhysicalAddress || row->size > kMaxPhysicalAddress - row->base) {
      table->damaged = true;
    } else if (table->rows.size() >= kMaxAddressRows) {
      table->damaged = true;
      return;
    } else {
      table->rows.push_back(RowOfFile(std::move(row->file_name), row->base, row->size));
    }
  }
}

// A line that was cut in its last number is a line with another number: what may have been is not read.
TextLines WithoutOpenEnd(TextLines text, LineParser parse, bool* damaged) {
  if (!text.ends_open || text.lines.empty() || !parse(text.lines.back())) return text;
  text.lines.pop_back();
  *damaged = true;
  return text;
}

// edl lists every region first, then says the same of each as it reads it: the second counts only for what
// the list lost.
AddressTable ParseEdlLog(const TextLines& text) {
  AddressTable table;
  AddTextRows(text, &ParseEdlListing, &table);
  std::set<std::string> listed;
  for (const AddressRow& row : table.rows) listed.insert(row.file_name);
  AddressTable dumped;
  AddTextRows(WithoutOpenEnd(text, &ParseEdlDumping, &dumped.damaged), &ParseEdlDumping, &dumped);
  for (AddressRow& row : dumped.rows) {
    if (!listed.insert(row.file_name).second) continue;
    if (table.rows.size() < kMaxAddressRows) table.rows.push_back(std::move(row));
  }
  table.damaged = table.damaged || dumped.damaged;
  return table;
}

AddressTable ParseText(TableForm form, ByteView bytes) {
  const TextLines text = SplitLines(TextOf(bytes), kMaxLines);
  if (form == TableForm::kEdlLog) return ParseEdlLog(text);
  AddressTable table;
  const LineParser parse = form == TableForm::kDumpInfo ? &ParseDumpInfoLine : &ParseLoadLine;
  AddTextRows(WithoutOpenEnd(text, parse, &table.damaged), parse, &table);
  return table;
}

}  // namespace

absl::string_view TableFormWords(TableForm form) {
  switch (form) {
    case TableForm::kNone:
      return "no table";
    case TableForm::kRegionRows:
      return "a region table";
    case TableForm::kSahara64:
      return "a Sahara table";
    case TableForm::kSahara32:
      return "a 32-bit Sahara table";
    case TableForm::kDumpInfo:
      return "a dump_info.txt";
    case TableForm::kEdlLog:
      return "edl's log";
    case TableForm::kLoadScript:
      return "a load.cmm";
  }
  return "no table";
}

TableForm RecogniseTable(const std::string&, ByteView head, uint64_t size) {
  if (head.empty()) return TableForm::kNone;
  if (size <= kMaxTableBytes) {
    if (LooksLikeAddressTable(head)) return TableForm::kRegionRows;
    if (IsSaharaTable(head, SaharaWidth::k64)) return TableForm::kSahara64;
    if (IsSaharaTable(head, SaharaWidth::k32)) return TableForm::kSahara32;
  }
  return RecogniseText(head);
}

AddressTable ParseAnyTable(TableForm form, ByteView bytes) {
  bytes = bytes.subspan(0, kMaxTableBytes);
  switch (form) {
    case TableForm::kNone:
      return {};
    case TableForm::kRegionRows:
      return ParseAddressTable(bytes);
    case TableForm::kSahara64:
      return ParseSaharaTable(bytes, SaharaWidth::k64);
    case TableForm::kSahara32:
      return ParseSaharaTable(bytes, SaharaWidth::k32);
    case TableForm::kDumpInfo:
    case TableForm::kEdlLog:
    case TableForm::kLoadScript:
      return ParseText(form, bytes);
  }
  return {};
}

}  // namespace corefleet

#include "core/minidump/sahara_rows.h"

#include <algorithm>

#include "absl/strings/string_view.h"
#include "core/minidump/address_table.h"

namespace corefleet {
namespace {

// Real ones are 1 and 2. Text, which has printable names everywhere, has no number as small as this.
constexpr uint64_t kMaxPreference = 0xffff;

std::string NameIn(ByteReader* reader) {
  const absl::string_view field = TextOf(reader->Bytes(kSaharaNameBytes));
  return std::string(field.substr(0, field.find('\0')));
}

bool IsPrintable(absl::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return c >= ' ' && c < 0x7f; });
}

}  // namespace

std::vector<SaharaRow> ParseSaharaRows(ByteView bytes, SaharaWidth width, Endian endian, size_t limit) {
  std::vector<SaharaRow> rows;
  ByteReader reader(bytes, endian);
  auto number = [&] { return width == SaharaWidth::k64 ? reader.U64() : reader.U32(); };
  while (reader.remaining() >= BytesOfRow(width) && rows.size() < limit) {
    SaharaRow row;
    row.preference = number();
    row.base = number();
    row.length = number();
    row.description = NameIn(&reader);
    row.file_name = NameIn(&reader);
    rows.push_back(std::move(row));
  }
  return rows;
}

bool IsPlausible(const SaharaRow& row) {
  return row.length != 0 && row.length <= kMaxPhysicalAddress &&
         row.base <= kMaxPhysicalAddress - row.length && row.preference <= kMaxPreference &&
         IsPrintable(row.description) && IsPrintable(row.file_name) &&
         row.file_name.find('.') != std::string::npos && row.file_name.find(' ') == std::string::npos;
}

}  // namespace corefleet

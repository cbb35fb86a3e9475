#include "core/minidump/address_table.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "core/bytes/byte_reader.h"

namespace corefleet {
namespace {

constexpr size_t kNameBytes = 16;

bool IsPrintable(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c));
  });
}

}  // namespace

AddressTable ParseAddressTable(ByteView bytes) {
  AddressTable table;
  ByteReader reader(bytes);
  while (reader.remaining() >= kAddressRowBytes && table.rows.size() < kMaxAddressRows) {
    const ByteView slot = bytes.subspan(reader.offset(), kAddressRowBytes);
    if (std::all_of(slot.begin(), slot.end(), [](uint8_t byte) { return byte == 0; })) {
      reader.Skip(kAddressRowBytes);
      continue;
    }
    AddressRow row;
    const absl::string_view name = TextOf(reader.Bytes(kNameBytes));
    row.name = std::string(name.substr(0, name.find('\0')));
    row.id = reader.U32();
    row.valid = reader.U32() == kAddressRowValid;
    row.paddr = reader.U64();
    row.size = reader.U64();
    table.rows.push_back(std::move(row));
  }
  table.damaged = reader.remaining() != 0;
  return table;
}

bool LooksLikeAddressTable(ByteView bytes) {
  const AddressTable table = ParseAddressTable(bytes);
  const size_t good = std::count_if(table.rows.begin(), table.rows.end(),
                                    [](const AddressRow& row) { return row.valid && IsPrintable(row.name); });
  return good > 0 && good * 2 > table.rows.size();
}

}  // namespace corefleet

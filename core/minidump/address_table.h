#ifndef COREFLEET_CORE_MINIDUMP_ADDRESS_TABLE_H_
#define COREFLEET_CORE_MINIDUMP_ADDRESS_TABLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/bytes/byte_view.h"

namespace corefleet {

// One row of Qualcomm's minidump region table: what the kernel told the boot firmware to save.
struct AddressRow {
  std::string name;  // up to 16 untrusted bytes, up to the first NUL
  uint32_t id = 0;   // meminspect id; 0 in vendor tables that do not number
  uint64_t paddr = 0;
  uint64_t size = 0;   // bytes, as registered (rounded up to 4)
  bool valid = false;  // the row carries the `VALI` mark
};

struct AddressTable {
  std::vector<AddressRow> rows;
  // Bytes after the last whole row, or rows past the limit: the table is cut or is none.
  bool damaged = false;
};

inline constexpr size_t kAddressRowBytes = 40;
// The kernel's table has 201 rows; more than this are not read.
inline constexpr size_t kMaxAddressRows = 1024;

// Parses a saved region table (`minidump_toc.bin`): rows of 40 bytes, little-endian: name[16], seq_num u32,
// valid u32
// ("VALI" as a number, so "ILAV" in memory), address u64, size u64. Source: struct minidump_region of the
// posted Qualcomm minidump driver. Total.
AddressTable ParseAddressTable(ByteView bytes);

// True when the bytes are such a table, judged by content: at least one row, most of them valid, with
// printable names.
bool LooksLikeAddressTable(ByteView bytes);

}  // namespace corefleet

#endif  // COREFLEET_CORE_MINIDUMP_ADDRESS_TABLE_H_

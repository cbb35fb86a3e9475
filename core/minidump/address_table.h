#ifndef COREFLEET_CORE_MINIDUMP_ADDRESS_TABLE_H_
#define COREFLEET_CORE_MINIDUMP_ADDRESS_TABLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/bytes/byte_view.h"

namespace corefleet {

// One row of a table of regions, of whichever form (core/minidump/tables.h): first of all of Qualcomm's
// minidump region table, in which the kernel tells the boot firmware what to save.
struct AddressRow {
  std::string name;  // "Kprb_info"; untrusted bytes (in a region table up to 16, up to the first NUL)
  uint32_t id = 0;   // meminspect id; 0 in tables that do not number
  uint64_t paddr = 0;
  uint64_t size = 0;   // bytes, as registered (rounded up to 4); 0 in a form that does not say
  bool valid = false;  // the row carries the `VALI` mark, or is of a form without marks
  // The file that a tool made of it, "md_Kprb_info24.BIN"; untrusted bytes. Empty in a region table.
  std::string file_name = {};
};

struct AddressTable {
  std::vector<AddressRow> rows;
  // Bytes after the last whole row, or rows past the limit: the table is cut or is none.
  bool damaged = false;
};

inline constexpr size_t kAddressRowBytes = 40;
inline constexpr uint32_t kAddressRowValid = 0x56414c49;  // 'VALI'
// No machine has more physical address bits than 52: an address or a size beyond this is noise.
inline constexpr uint64_t kMaxPhysicalAddress = uint64_t{1} << 52;
// The kernel's table has 201 rows; more than this are not read.
inline constexpr size_t kMaxAddressRows = 1024;

// Parses a saved region table (`minidump_toc.bin`): rows of 40 bytes, little-endian: name[16], seq_num u32,
// valid u32 ("VALI" as a number, so "ILAV" in memory), address u64, size u64. Rows of zeros are slots that
// the kernel never used (it has 201) and are left out. Source: struct minidump_region of the posted Qualcomm
// minidump driver. Total.
AddressTable ParseAddressTable(ByteView bytes);

// True when the bytes are such a table, judged by content: at least one row in use, most of these valid, with
// printable names.
bool LooksLikeAddressTable(ByteView bytes);

}  // namespace corefleet

#endif  // COREFLEET_CORE_MINIDUMP_ADDRESS_TABLE_H_

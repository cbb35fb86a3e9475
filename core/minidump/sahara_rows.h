#ifndef COREFLEET_CORE_MINIDUMP_SAHARA_ROWS_H_
#define COREFLEET_CORE_MINIDUMP_SAHARA_ROWS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/bytes/byte_reader.h"
#include "core/bytes/byte_view.h"

namespace corefleet {

// Rows of the debug table that a device hands to a host over the Sahara download protocol, and that an AIC100
// dump begins with. Source: docs/formats/address-tables.md.

inline constexpr uint64_t kSaharaRowBytes = 64;
inline constexpr uint64_t kSaharaRow32Bytes = 52;  // of devices with 32-bit addresses
inline constexpr size_t kSaharaNameBytes = 20;     // of each of the two names

struct SaharaRow {
  uint64_t preference = 0;  // "save_pref"; nobody says what its values mean
  uint64_t base = 0;        // physical address
  uint64_t length = 0;      // bytes
  // Untrusted bytes up to the first NUL; a name of 20 bytes has none.
  std::string description;  // "md_KELF1"
  std::string file_name;    // "md_KELF1.BIN"
};

enum class SaharaWidth { k64, k32 };

constexpr uint64_t BytesOfRow(SaharaWidth width) {
  return width == SaharaWidth::k64 ? kSaharaRowBytes : kSaharaRow32Bytes;
}

// The whole rows in `bytes`, at most `limit`.
std::vector<SaharaRow> ParseSaharaRows(ByteView bytes, SaharaWidth width, Endian endian, size_t limit);

// True when the row can be what firmware writes: a small preference, printable names, the file's with a dot
// and no blank in it, and a length that fits into the address space.
bool IsPlausible(const SaharaRow& row);

}  // namespace corefleet

#endif  // COREFLEET_CORE_MINIDUMP_SAHARA_ROWS_H_

#ifndef COREFLEET_CORE_KINFO_KINFO_WRITER_H_
#define COREFLEET_CORE_KINFO_KINFO_WRITER_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace corefleet {

// What a kernel would tell its firmware. Addresses are physical.
struct KinfoToWrite {
  std::string release = "6.1.0";
  std::string build_info;  // cut to 255 bytes; left out by layout F
  uint32_t num_syms = 120000;
  uint32_t thread_size = 16384;
  uint16_t bits_per_long = 64;
  uint64_t text = 0x80200000;
  uint64_t stext = 0x80210000;
  uint64_t etext = 0x81200000;
  uint64_t end = 0x82400000;
  uint64_t swapper_pg_dir = 0x81f00000;
  uint64_t relative = 0x81500000;  // of layouts without _text
  uint32_t mod_mem_offset = 0x180;
  uint32_t mod_kallsyms_offset = 0x380;
};

// The area of that layout (docs/formats/kinfo.md has their names), wrapper and all; "" for another name.
std::string WriteKinfo(absl::string_view layout, const KinfoToWrite& kinfo);

}  // namespace corefleet

#endif  // COREFLEET_CORE_KINFO_KINFO_WRITER_H_

#ifndef COREFLEET_CORE_CRASH_KINFO_H_
#define COREFLEET_CORE_CRASH_KINFO_H_

#include <cstdint>
#include <optional>
#include <string>

namespace corefleet {

// What a Debug Kinfo area says: where the kernel's symbol tables lie and which kernel it was. Addresses only,
// no memory. Fields that a layout does not have, or that cannot be, are empty.
struct Kinfo {
  std::string layout;  // "A" to "F" and "0x1D4", as in docs/formats/kinfo.md
  bool checksum_ok = false;
  std::string release;     // last_uts_release; escaped
  std::string build_info;  // escaped
  uint32_t num_syms = 0;
  uint32_t thread_size = 0;  // bytes
  // Physical addresses.
  std::optional<uint64_t> text_pa, stext_pa, etext_pa, end_pa, swapper_pg_dir_pa;
};

}  // namespace corefleet

#endif  // COREFLEET_CORE_CRASH_KINFO_H_

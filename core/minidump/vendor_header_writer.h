#ifndef COREFLEET_CORE_MINIDUMP_VENDOR_HEADER_WRITER_H_
#define COREFLEET_CORE_MINIDUMP_VENDOR_HEADER_WRITER_H_

#include <cstdint>
#include <string>
#include <vector>

namespace corefleet {

// What a vendor kernel would register.
struct VendorMinidumpPlan {
  struct Part {
    std::string name;  // at most 15 bytes
    uint64_t vaddr = 0, paddr = 0;
    std::vector<uint8_t> bytes;  // a multiple of four
  };

  uint16_t machine = 183;  // arm64
  std::string banner = "Linux version 5.15.94-android13-8-test (build@host) #1 SMP PREEMPT\n";
  uint64_t banner_vaddr = 0xffffffc00a000000, banner_paddr = 0xaa000000;
  bool with_table_section = true;  // minidump_table; kernels of virtual machines leave it out
  std::vector<Part> parts;
};

// The header region, md_KELF_HDR.BIN. Source: docs/formats/vendor-minidump.md. The regions' own files are
// their bytes as they are.
std::vector<uint8_t> WriteVendorHeader(const VendorMinidumpPlan& plan);

}  // namespace corefleet

#endif  // COREFLEET_CORE_MINIDUMP_VENDOR_HEADER_WRITER_H_

#ifndef COREFLEET_CORE_MINIDUMP_VENDOR_HEADER_H_
#define COREFLEET_CORE_MINIDUMP_VENDOR_HEADER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/bytes/byte_source.h"
#include "core/bytes/byte_view.h"

namespace corefleet {

// A region as the vendor driver's header region lists it: a section with a name for each program header.
struct VendorRegion {
  std::string name;  // untrusted bytes, such as "KLOGBUF"; "" when no section has its place
  uint64_t vaddr = 0;
  uint64_t paddr = 0;
  uint64_t size = 0;    // bytes
  uint64_t offset = 0;  // where its bytes would be if the files stood one after the other
  bool inside = false;  // its bytes are in the header region itself (the banner)
};

struct VendorHeader {
  std::vector<VendorRegion> regions;  // in program header order
  // Where the header region ends: what follows it is the first region that is not inside.
  uint64_t size = 0;
};

// True for md_KELF_HDR.BIN, md_KELF_HEADER.BIN and their like: an ELF core of 64 bits, little-endian, with
// sections and loads and no notes. Source: docs/formats/vendor-minidump.md.
bool LooksLikeVendorHeader(ByteView head);

// Reads one. nullopt when it is none. Total; at most 2048 regions.
std::optional<VendorHeader> ReadVendorHeader(const ByteSource& file);

// What a region's file is called after the region: `md_`, the virtual machine's prefix and the extension are
// gone, the number at its end is kept: "KISTK0". In lower case.
std::string VendorFileKey(absl::string_view file_name);

// Which region each file is, by name. Exact names first; then names of which one is the beginning of the
// other, if both have the same size and no other fits (tools cut names differently). Regions of one name are
// told apart by the counter behind it. nullopt for files that are none.
struct VendorFile {
  std::string key;  // VendorFileKey's
  uint64_t size = 0;
};
std::vector<std::optional<size_t>> MatchVendorFiles(const std::vector<VendorFile>& files,
                                                    const std::vector<VendorRegion>& regions);

}  // namespace corefleet

#endif  // COREFLEET_CORE_MINIDUMP_VENDOR_HEADER_H_

#ifndef COREFLEET_CORE_CRASH_REGION_SET_H_
#define COREFLEET_CORE_CRASH_REGION_SET_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/bytes/byte_source.h"

namespace corefleet {

// What an uploaded piece is. The numbers are stored and sent: never reuse one.
enum class RegionKind : uint8_t {
  kMemory = 1,  // memory of the dead machine
  kAddressTable =
      2,          // what the device's firmware said about the regions (minidump_toc.bin); itself no memory
  kArtifact = 3,  // a file as it was found: a container of regions, a core, a text. What it is, its content
                  // tells (core/unpack)
};

// One piece as it was received. Everything in it but the bytes is what somebody said: names, ids and
// addresses are hints that reassembly weighs against the ELF header region (knowledge: identity is physical
// address and size).
struct Region {
  RegionKind kind = RegionKind::kMemory;
  // The file's own name without its folder: untrusted bytes, perhaps not UTF-8, never part of a path.
  std::string file_name;
  // What the file name or the address table calls it, such as "Kprb_info"; may be empty. Untrusted bytes.
  std::string name;
  // meminspect id (1 to 200), from the file name or the table.
  std::optional<uint32_t> id;
  // Physical address, and the size in bytes that goes with it, from an address table.
  std::optional<uint64_t> paddr;
  std::optional<uint64_t> table_size;
  // What was received. Its size() is what was received, whatever a table says. Null: announced, and nothing
  // of it came.
  std::shared_ptr<const ByteSource> bytes;
  // Virtual address, from a container that has one (a core's program header).
  std::optional<uint64_t> vaddr;
  // The file it came out of: index into the received set, when it is a window of an artifact. Never sent,
  // never stored: core/unpack makes such regions.
  std::optional<uint32_t> container;
};

// Everything one crash left behind, as received. The order means nothing.
struct RegionSet {
  std::vector<Region> regions;
};

// More regions than this are refused at the door and not looked at by reassembly. (The kernel's table has 201
// slots.)
inline constexpr size_t kMaxRegions = 1024;

}  // namespace corefleet

#endif  // COREFLEET_CORE_CRASH_REGION_SET_H_

#ifndef COREFLEET_CORE_SIMULATE_HEADER_REGION_WRITER_H_
#define COREFLEET_CORE_SIMULATE_HEADER_REGION_WRITER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/elf/elf_header.h"

namespace corefleet {

// A load to be listed.
struct HeaderLoad {
  uint64_t vaddr = 0;
  uint64_t paddr = 0;
  uint64_t size = 0;  // bytes; rounded up to 4 as meminspect does
};

// meminspect's region 1 before it is bytes, so that a caller may make it say something else.
struct HeaderRegionParts {
  ElfHeader header;
  std::vector<ProgramHeader> program_headers;  // the PT_NOTE first, then the loads
  uint64_t notes_offset = 0;
  uint64_t vmcoreinfo_size = 0;  // of region 2, a multiple of 4
  std::string command_line;      // cut at 79 bytes
};

// As the kernel lays it out: room for 201 program headers, slack, three notes of which the last one's body is
// region 2, and the loads' bytes behind that. `machine` is EM_AARCH64 or EM_X86_64.
HeaderRegionParts PlanHeaderRegion(uint16_t machine, const std::vector<HeaderLoad>& loads,
                                   uint64_t vmcoreinfo_size, std::string command_line);

// The bytes of region 1.
std::vector<uint8_t> WriteHeaderRegion(const HeaderRegionParts& parts);

}  // namespace corefleet

#endif  // COREFLEET_CORE_SIMULATE_HEADER_REGION_WRITER_H_

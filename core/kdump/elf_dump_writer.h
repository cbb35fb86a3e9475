#ifndef COREFLEET_CORE_KDUMP_ELF_DUMP_WRITER_H_
#define COREFLEET_CORE_KDUMP_ELF_DUMP_WRITER_H_

#include <cstdint>
#include <string>
#include <vector>

namespace corefleet {

// What an ELF core of a whole machine is written from.
struct ElfDumpContents {
  struct Load {
    uint64_t vaddr = 0;
    uint64_t paddr = 0;
    std::vector<uint8_t> bytes;
    uint64_t memory_size = 0;  // of it in the machine; 0: as many as there are bytes
  };

  uint16_t machine = 0;  // EM_
  uint32_t flags = 0;
  uint32_t cpus = 1;  // NT_PRSTATUS notes, all zero
  std::string vmcoreinfo;
  std::vector<Load> loads;
  // As many loads as do not fit into the header's count are counted in a section header, as the ABI has it.
};

// A 64-bit little-endian core as /proc/vmcore is laid out: program headers, notes, loads, each of them at a
// multiple of 4096.
std::vector<uint8_t> WriteElfDump(const ElfDumpContents& contents);

}  // namespace corefleet

#endif  // COREFLEET_CORE_KDUMP_ELF_DUMP_WRITER_H_

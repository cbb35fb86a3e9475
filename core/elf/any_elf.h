#ifndef COREFLEET_CORE_ELF_ANY_ELF_H_
#define COREFLEET_CORE_ELF_ANY_ELF_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/bytes/byte_reader.h"
#include "core/bytes/byte_source.h"
#include "core/elf/elf_header.h"

namespace corefleet {

inline constexpr uint32_t kSectionNull = 0;
inline constexpr uint32_t kSectionBits = 1;     // SHT_PROGBITS
inline constexpr uint32_t kSectionStrings = 3;  // SHT_STRTAB

struct ElfSection {
  std::string name;  // untrusted bytes
  uint32_t type = 0;
  uint64_t addr = 0;
  uint64_t offset = 0;
  uint64_t size = 0;
};

// The headers of an ELF file of either class and byte order, with its section names. Source: System V ABI.
struct AnyElf {
  bool is_64 = true;
  Endian endian = Endian::kLittle;
  uint16_t type = 0;
  uint16_t machine = 0;
  uint32_t flags = 0;
  std::vector<ProgramHeader> segments;  // 32-bit ones widened
  std::vector<ElfSection> sections;     // the null section included, so indexes are the file's
  uint64_t program_headers_offset = 0, section_headers_offset = 0;
  uint32_t segments_said = 0, sections_said = 0;  // what the header counts; more than there are if it is cut
};

// Reads them. At most 2048 entries of a table and 256 KiB of names are looked at; a table that leaves the
// file gives the entries before the end.
//   INVALID_ARGUMENT  no ELF
//   OUT_OF_RANGE      the file ends inside of the ELF header
// Also the source's codes.
absl::StatusOr<AnyElf> ReadAnyElf(const ByteSource& file);

}  // namespace corefleet

#endif  // COREFLEET_CORE_ELF_ANY_ELF_H_

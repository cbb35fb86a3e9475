#ifndef COREFLEET_CORE_ELF_ELF_HEADER_H_
#define COREFLEET_CORE_ELF_ELF_HEADER_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "core/bytes/byte_view.h"

namespace corefleet {

// Constants and records of ELF core files. Source: System V ABI, "Object Files" and "Program Loading"; gABI
// 2013.

inline constexpr uint16_t kElfTypeCore = 4;
inline constexpr uint16_t kElfMachineX86_64 = 62;
inline constexpr uint16_t kElfMachineAarch64 = 183;
inline constexpr uint32_t kSegmentLoad = 1;
inline constexpr uint32_t kSegmentNote = 4;
inline constexpr uint64_t kElf64HeaderBytes = 64;
inline constexpr uint64_t kElf64ProgramHeaderBytes = 56;

struct ElfHeader {
  uint16_t type = 0;
  uint16_t machine = 0;
  uint32_t flags = 0;
  uint64_t program_headers_offset = 0;
  uint16_t program_header_bytes = 0;  // of one
  uint16_t program_header_count = 0;
  uint16_t section_header_count = 0;
};

struct ProgramHeader {
  uint32_t type = 0;
  uint32_t flags = 0;
  uint64_t offset = 0;
  uint64_t vaddr = 0;
  uint64_t paddr = 0;
  uint64_t file_size = 0;
  uint64_t memory_size = 0;
  uint64_t align = 0;
};

// True when `bytes` start with ELF's magic number, of whatever class and byte order.
bool LooksLikeElf(ByteView bytes);

// The header of a 64-bit little-endian ELF file.
//   INVALID_ARGUMENT  no ELF at all
//   UNIMPLEMENTED     ELF of another class or byte order; the message says which
//   OUT_OF_RANGE      fewer than 64 bytes
absl::StatusOr<ElfHeader> ParseElfHeader(ByteView bytes);

// The program headers that lie whole inside `bytes`, at most `limit`. `header` must come from the same bytes.
// A table of another record size than 56, or outside of the bytes, gives none.
std::vector<ProgramHeader> ParseProgramHeaders(ByteView bytes, const ElfHeader& header, size_t limit);

// What a writer of cores needs: the same records as bytes, appended to `out`.
void AppendElfHeader(const ElfHeader& header, std::vector<uint8_t>* out);
void AppendProgramHeader(const ProgramHeader& header, std::vector<uint8_t>* out);

}  // namespace corefleet

#endif  // COREFLEET_CORE_ELF_ELF_HEADER_H_

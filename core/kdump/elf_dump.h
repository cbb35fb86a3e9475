#ifndef COREFLEET_CORE_KDUMP_ELF_DUMP_H_
#define COREFLEET_CORE_KDUMP_ELF_DUMP_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/bytes/byte_source.h"
#include "core/elf/elf_header.h"

namespace corefleet {

// An ELF core of a whole machine: /proc/vmcore, what makedumpfile -E and QEMU's dump-guest-memory write.
struct ElfDump {
  uint16_t machine = 0;  // EM_
  uint32_t flags = 0;
  // Why its memory is not read ("a 32-bit big-endian ELF core"); "" when it is.
  std::string unsupported;
  std::vector<ProgramHeader> loads;  // as they are in the file; empty when unsupported
  uint64_t loads_left_out = 0;       // by the limit, or because the table is cut
  std::string vmcoreinfo;            // "" when there is none
  bool notes_damaged = false;        // VMCOREINFO had to be searched for
  uint32_t prstatus_count = 0;       // notes of CPUs
};

// A core file with notes of a kernel, of any class and byte order. A process's core has no physical addresses
// and no VMCOREINFO, and is none. `head` is the file's beginning.
bool LooksLikeElfDump(ByteView head);

// Reads headers and notes, nothing else: at most 4 MiB of program headers and 16 MiB of notes.
//   INVALID_ARGUMENT  no ELF core
//   other codes       ReadAt's
absl::StatusOr<ElfDump> ReadElfDump(const ByteSource& file);

// The bytes of all its note segments one after the other, at most 16 MiB. Codes: ReadElfDump's.
absl::StatusOr<std::vector<uint8_t>> ReadElfDumpNotes(const ByteSource& file);

inline constexpr size_t kMaxDumpLoads = 65536;

}  // namespace corefleet

#endif  // COREFLEET_CORE_KDUMP_ELF_DUMP_H_

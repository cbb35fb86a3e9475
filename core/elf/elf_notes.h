#ifndef COREFLEET_CORE_ELF_ELF_NOTES_H_
#define COREFLEET_CORE_ELF_ELF_NOTES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/bytes/byte_view.h"

namespace corefleet {

inline constexpr uint32_t kNotePrstatus = 1;
inline constexpr uint32_t kNotePrpsinfo = 3;
inline constexpr uint32_t kNoteVmcoreinfo = 0;
inline constexpr uint32_t kPrpsinfoBytes = 136;

// sizeof(struct elf_prstatus) for an e_machine: 336 on x86-64, 392 on arm64; 0 for machines that we do not
// know.
uint32_t PrstatusBytes(uint16_t machine);

// One note of a PT_NOTE segment. Views into the bytes that were walked.
struct ElfNote {
  absl::string_view name;  // without its NUL
  uint32_t type = 0;
  ByteView descriptor;  // what of it is there
  uint64_t descriptor_size =
      0;  // what the note's header says; more than descriptor.size() when the bytes end early
};

// Walks the notes of a segment: name and descriptor each padded to 4 bytes, which is what Linux writes even
// in 64-bit cores. Stops at a header of zeros, at one that leaves the bytes, and after `limit` notes. A
// descriptor may run past the end (in a meminspect header region the last one's does: it is the next region);
// nothing follows such a note.
std::vector<ElfNote> WalkNotes(ByteView bytes, size_t limit = 64);

// Appends one note, padded.
void AppendNote(absl::string_view name, uint32_t type, ByteView descriptor, std::vector<uint8_t>* out);

}  // namespace corefleet

#endif  // COREFLEET_CORE_ELF_ELF_NOTES_H_

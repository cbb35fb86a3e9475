#ifndef COREFLEET_CORE_REASSEMBLY_HEADER_REGION_H_
#define COREFLEET_CORE_REASSEMBLY_HEADER_REGION_H_

#include <optional>
#include <string>
#include <vector>

#include "core/elf/elf_header.h"
#include "core/reassembly/piece.h"

namespace corefleet {

// What meminspect's region 1 says: ELF header, room for 201 program headers, and the notes but for the last
// one's body. Or what the vendor driver's says: no notes, and a section with a name for each program header.
struct HeaderRegion {
  uint16_t machine = 0;
  uint32_t flags = 0;
  std::vector<Slot> slots;    // of its PT_LOADs, in their order
  uint64_t notes_offset = 0;  // of the PT_NOTE, and its size; both 0 without one
  uint64_t notes_size = 0;
  // True when the table of program headers is not whole, so that there may be more regions than `slots`.
  bool table_cut = false;
  bool is_vendor = false;  // then slots have row_name and no id
};

// The piece that is an ELF core header, by its content; where several are, the one called region 1, then the
// first.
std::optional<size_t> FindHeaderPiece(const std::vector<Piece>& pieces);

// Reads it. Total; says in `defects` what is wrong with it.
HeaderRegion ReadHeaderRegion(const Piece& piece, std::vector<Defect>* defects);

// The piece that is the VMCOREINFO text: it starts with OSRELEASE= (or is called so, if it is cut too short
// to tell). Where several are, the one with the size that the header's last note leaves room for.
std::optional<size_t> FindVmcoreinfoPiece(const std::vector<Piece>& pieces,
                                          std::optional<uint64_t> wanted_size);

// Checks the notes at the tail of the header region against what the kernel writes there, and returns the
// command line out of NT_PRPSINFO (raw bytes; "" when there is none). Quirk: the kernel allocates the
// header's buffer in whole pages rounded down, so its last page, with all the notes, may have been somebody
// else's: they are never trusted.
std::string ReadNotes(const Piece& piece, const HeaderRegion& header, uint64_t vmcoreinfo_size,
                      std::vector<Defect>* defects);

}  // namespace corefleet

#endif  // COREFLEET_CORE_REASSEMBLY_HEADER_REGION_H_

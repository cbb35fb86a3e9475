#include "core/reassembly/header_region.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/elf/elf_notes.h"
#include "core/meminspect/region_ids.h"
#include "core/minidump/vendor_header.h"

namespace corefleet {
namespace {

// The kernel's buffer has room for 201 loads; without a bounds check a few more run into the slack before the
// notes.
constexpr size_t kMaxProgramHeaders = 201 + 1 + 83;
constexpr uint64_t kMaxHeaderBytes = 64 * 1024;
constexpr size_t kPsargsOffset = 56;
constexpr size_t kPsargsBytes = 80;

bool IsCoreHeader(const Piece& piece) {
  if (!LooksLikeElf(piece.head)) return false;
  const absl::StatusOr<ElfHeader> header = ParseElfHeader(piece.head);
  if (!header.ok()) return absl::IsUnimplemented(header.status()) || absl::IsOutOfRange(header.status());
  return header->type == kElfTypeCore;
}

bool IsCalledHeader(const Piece& piece) { return piece.id == kElfHeaderId; }

void AddSlot(const ProgramHeader& load, HeaderRegion* header, std::vector<Defect>* defects) {
  const uint64_t size = load.file_size;
  auto leaves = [size](uint64_t start) { return size != 0 && size - 1 > UINT64_MAX - start; };
  Slot slot;
  slot.vaddr = load.vaddr;
  slot.paddr = load.paddr;
  slot.has_vaddr = slot.has_paddr = true;
  slot.size = size;
  if (leaves(load.paddr) || leaves(load.vaddr)) {
    defects->push_back({DefectCode::kAddressOverflow, "",
                        absl::StrCat("a program header at 0x", absl::Hex(load.paddr), " of 0x",
                                     absl::Hex(size), " bytes leaves 64 bits and is ignored")});
    slot.usable = false;
  }
  header->slots.push_back(slot);
}

absl::string_view UpToNul(ByteView bytes) {
  const absl::string_view text = TextOf(bytes);
  return text.substr(0, text.find('\0'));
}

}  // namespace

std::optional<size_t> FindHeaderPiece(const std::vector<Piece>& pieces) {
  std::optional<size_t> found;
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (!IsCoreHeader(pieces[i])) continue;
    if (!found || (IsCalledHeader(pieces[i]) && !IsCalledHeader(pieces[*found]))) found = i;
  }
  return found;
}

HeaderRegion ReadHeaderRegion(const Piece& piece, std::vector<Defect>* defects) {
  HeaderRegion result;
  auto damaged = [&](DefectCode code, std::string detail) {
    result.table_cut = true;
    defects->push_back({code, piece.label, std::move(detail)});
  };
  const absl::StatusOr<std::vector<uint8_t>> bytes =
      ReadBytes(*piece.bytes, 0, std::min(piece.size, kMaxHeaderBytes));
  if (!bytes.ok()) {
    damaged(DefectCode::kHeaderDamaged, "its bytes cannot be read");
    return result;
  }
  const absl::StatusOr<ElfHeader> header = ParseElfHeader(*bytes);
  if (!header.ok()) {
    const bool other_kind = absl::IsUnimplemented(header.status());
    damaged(other_kind ? DefectCode::kUnsupported : DefectCode::kHeaderDamaged,
            std::string(header.status().message()));
    return result;
  }
  result.machine = header->machine;
  result.flags = header->flags;
  if (const std::optional<VendorHeader> vendor = ReadVendorHeader(*piece.bytes)) {
    result.is_vendor = true;
    for (const VendorRegion& region : vendor->regions) {
      AddSlot({.vaddr = region.vaddr, .paddr = region.paddr, .file_size = region.size}, &result, defects);
      result.slots.back().row_name = region.name;
    }
    if (result.slots.size() < header->program_header_count) {
      damaged(DefectCode::kHeaderDamaged,
              absl::StrCat("of ", header->program_header_count, " program headers ", result.slots.size(),
                           " loads are in its ", piece.size, " bytes"));
    }
    return result;
  }
  const std::vector<ProgramHeader> table = ParseProgramHeaders(*bytes, *header, kMaxProgramHeaders);
  size_t ignored = 0;
  for (const ProgramHeader& entry : table) {
    if (entry.type == kSegmentLoad) {
      AddSlot(entry, &result, defects);
    } else if (entry.type == kSegmentNote && result.notes_size == 0) {
      result.notes_offset = entry.offset;
      result.notes_size = entry.file_size;
    } else {
      ++ignored;
    }
  }
  if (table.size() < header->program_header_count) {
    damaged(DefectCode::kHeaderDamaged, absl::StrCat("of ", header->program_header_count, " program headers ",
                                                     table.size(), " are in its ", piece.size, " bytes"));
  }
  if (ignored != 0) {
    damaged(DefectCode::kHeaderDamaged,
            absl::StrCat(ignored, " program headers are no loads and are ignored"));
  }
  if (result.notes_offset > UINT64_MAX - result.notes_size ||
      result.notes_offset + result.notes_size > kMaxHeaderBytes * 2) {
    result.notes_offset = result.notes_size = 0;
  }
  return result;
}

std::optional<size_t> FindVmcoreinfoPiece(const std::vector<Piece>& pieces,
                                          std::optional<uint64_t> wanted_size) {
  std::optional<size_t> found;
  int found_rank = 0;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const Piece& piece = pieces[i];
    const bool by_content = absl::StartsWith(TextOf(piece.head), "OSRELEASE=");
    const bool cut_short = piece.head.size() < 10 && absl::StartsWith("OSRELEASE=", TextOf(piece.head));
    const bool by_name = piece.id == kVmcoreinfoId && piece.name == DriverNameOfId(MeminspectSeries::kV1, 2);
    if (!by_content && !(by_name && cut_short)) continue;
    const int rank = 1 + 8 * by_content + 4 * (wanted_size && piece.size == *wanted_size) +
                     2 * (piece.id == kVmcoreinfoId);
    if (rank > found_rank) {
      found = i;
      found_rank = rank;
    }
  }
  return found;
}

std::string ReadNotes(const Piece& piece, const HeaderRegion& header, uint64_t vmcoreinfo_size,
                      std::vector<Defect>* defects) {
  std::string psargs;
  std::string wrong;
  absl::StatusOr<std::vector<uint8_t>> bytes = absl::NotFoundError("");
  if (header.notes_size == 0) {
    wrong = "there is no note segment";
  } else if (header.notes_offset >= piece.size) {
    wrong = "they are past the region's end";
  } else {
    const uint64_t there = std::min(header.notes_size, piece.size - header.notes_offset);
    bytes = ReadBytes(*piece.bytes, header.notes_offset, there);
    if (!bytes.ok()) wrong = "they cannot be read";
  }
  if (bytes.ok()) {
    const std::vector<ElfNote> notes = WalkNotes(*bytes);
    const uint32_t prstatus = PrstatusBytes(header.machine);
    if (notes.size() != 3) {
      wrong = absl::StrCat("there are ", notes.size(), " instead of three");
    } else if (notes[0].name != "CORE" || notes[0].type != kNotePrstatus ||
               (prstatus != 0 && notes[0].descriptor_size != prstatus)) {
      wrong = "the first is not this machine's NT_PRSTATUS";
    } else if (notes[2].name != "VMCOREINFO" || notes[2].type != kNoteVmcoreinfo ||
               (vmcoreinfo_size != 0 && notes[2].descriptor_size != vmcoreinfo_size)) {
      wrong = "the last is not VMCOREINFO, or has another size";
    }
    for (const ElfNote& note : notes) {
      if (note.name != "CORE" || note.type != kNotePrpsinfo || note.descriptor.size() != kPrpsinfoBytes)
        continue;
      psargs = std::string(UpToNul(note.descriptor.subspan(kPsargsOffset, kPsargsBytes)));
    }
    if (wrong.empty() && (notes[1].name != "CORE" || notes[1].type != kNotePrpsinfo ||
                          notes[1].descriptor_size != kPrpsinfoBytes)) {
      wrong = "the second is not NT_PRPSINFO";
    }
  }
  if (!wrong.empty()) {
    defects->push_back({DefectCode::kNotesDamaged, piece.label,
                        absl::StrCat("the notes are not as the kernel writes them: ", wrong,
                                     "; they are rebuilt from the vmcoreinfo region")});
  }
  return psargs;
}

}  // namespace corefleet

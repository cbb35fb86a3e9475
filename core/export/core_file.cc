#include "core/export/core_file.h"

#include <algorithm>

#include "base/status_macros.h"
#include "core/elf/elf_header.h"
#include "core/elf/elf_notes.h"
#include "core/export/piecewise_source.h"

namespace corefleet {
namespace {

constexpr uint64_t kFilePage = 4096;
constexpr uint64_t kNoPhysicalAddress = UINT64_MAX;  // as drgn reads p_paddr
constexpr uint32_t kReadWrite = 6;
// crash prints [INCOMPLETE] for a core with this bit in e_flags, and hints at --zero_excluded.
constexpr uint32_t kFlagIncomplete = 1;
constexpr uint64_t kMaxVmcoreinfoBytes = 64 * 1024;
// Zeros for what is missing in a concatenation; more than any phone's log and run queues.
constexpr uint64_t kMaxMissingBytes = uint64_t{1} << 30;

struct Load {
  uint64_t vaddr = 0;
  uint64_t paddr = 0;
  bool has_paddr = true;
  uint64_t size = 0;
  // Where the bytes are. `source` is null for a hole that reads as zeros.
  std::shared_ptr<const ByteSource> source;
  uint64_t source_offset = 0;
  uint64_t file_offset = 0;

  // What decides where in a file page the bytes must lie.
  uint64_t page_key() const { return has_paddr ? paddr : vaddr; }
};

// drgn lets the last of overlapping loads win, libkdumpfile the first, so there must be none: the extents of
// the image are disjoint already. Sorted by physical address, which extents are too.
std::vector<Load> LoadsOf(const CoreImage& image) {
  std::vector<Load> loads;
  for (const CoreImage::Extent& extent : image.physical_extents()) {
    const Segment& segment = image.segments[extent.segment];
    Load load;
    load.source_offset = extent.first - segment.paddr;
    load.paddr = extent.first;
    // Memory whose virtual address is unknown: one that no kernel uses, where nothing else can be.
    load.vaddr = segment.has_vaddr ? segment.vaddr + load.source_offset : extent.first;
    load.size = extent.last - extent.first + 1;
    load.source = image.sources[*segment.region];
    loads.push_back(std::move(load));
  }
  for (const CoreImage::Extent& extent : image.virtual_extents()) {
    const Segment& segment = image.segments[extent.segment];
    if (segment.has_paddr) continue;
    Load load;
    load.source_offset = extent.first - segment.vaddr;
    load.vaddr = extent.first;
    load.has_paddr = false;
    load.size = extent.last - extent.first + 1;
    load.source = image.sources[*segment.region];
    loads.push_back(std::move(load));
  }
  return loads;
}

// Two loads at different physical addresses may claim one virtual address only in a hostile header. The later
// one keeps its bytes and loses its virtual address.
void DropVirtualOverlaps(std::vector<Load>* loads) {
  std::vector<Load*> order;
  for (Load& load : *loads) order.push_back(&load);
  std::stable_sort(order.begin(), order.end(),
                   [](const Load* a, const Load* b) { return a->vaddr < b->vaddr; });
  const Load* last = nullptr;
  for (Load* load : order) {
    if (last != nullptr && load->vaddr - last->vaddr < last->size) {
      if (load->has_paddr) load->vaddr = load->paddr;
      continue;
    }
    last = load;
  }
}

// Touching loads of one region, or of one mapping, become one if their bytes come from one place.
void JoinSplitLoads(std::vector<Load>* loads) {
  std::vector<Load> joined;
  for (Load& load : *loads) {
    if (!joined.empty()) {
      Load& last = joined.back();
      if (last.source == load.source && last.has_paddr == load.has_paddr &&
          last.paddr + last.size == load.paddr && last.vaddr + last.size == load.vaddr &&
          last.source_offset + last.size == load.source_offset) {
        last.size += load.size;
        continue;
      }
    }
    joined.push_back(std::move(load));
  }
  *loads = std::move(joined);
}

// crash checks only a read's first byte against a load and then reads on in the file, up to the page's end.
// So what follows a region in its file page must be what follows it in memory: regions of one physical page
// share one file page at their own distances, with zeros between, and no other two share one.
uint64_t LayOut(uint64_t offset, std::vector<Load>* loads) {
  const Load* last = nullptr;
  uint64_t end = offset;
  for (Load& load : *loads) {
    const uint64_t in_page = load.page_key() % kFilePage;
    const bool same_page = last != nullptr && last->has_paddr == load.has_paddr &&
                           (last->page_key() + last->size - 1) / kFilePage == load.page_key() / kFilePage;
    if (same_page) {
      load.file_offset = last->file_offset + (load.page_key() - last->page_key());
    } else {
      load.file_offset = (end + kFilePage - 1) / kFilePage * kFilePage + in_page;
    }
    end = load.file_offset + load.size;
    last = &load;
  }
  return (end + kFilePage - 1) / kFilePage * kFilePage;
}

// Loads without file bytes between neighbours in physical memory, by the mapping of the one before.
std::vector<Load> HolesBetween(const std::vector<Load>& loads, uint64_t file_end) {
  std::vector<Load> holes;
  auto add = [&](uint64_t vaddr, uint64_t paddr, uint64_t size) {
    if (size == 0) return;
    Load hole;
    hole.vaddr = vaddr;
    hole.paddr = paddr;
    hole.size = size;
    hole.file_offset = file_end;
    holes.push_back(hole);
  };
  for (size_t i = 0; i < loads.size(); ++i) {
    const Load& load = loads[i];
    if (!load.has_paddr) continue;
    if (holes.empty() && load.vaddr % kFilePage == load.paddr % kFilePage) {
      const uint64_t before = load.paddr % kFilePage;
      add(load.vaddr - before, load.paddr - before, before);
    }
    const uint64_t end = load.paddr + load.size;
    if (end == 0) continue;  // ends with the address space
    const bool is_last = i + 1 == loads.size() || !loads[i + 1].has_paddr;
    const uint64_t next = is_last ? end + (kFilePage - end % kFilePage) % kFilePage : loads[i + 1].paddr;
    if (next > end && load.vaddr <= UINT64_MAX - (next - load.paddr))
      add(load.vaddr + load.size, end, next - end);
  }
  return holes;
}

// A hole's virtual range may run into a load of another mapping; then it is not covered.
void AddHoles(uint64_t file_end, std::vector<Load>* loads) {
  for (Load& hole : HolesBetween(*loads, file_end)) {
    const bool collides = std::any_of(loads->begin(), loads->end(), [&hole](const Load& load) {
      return hole.vaddr < load.vaddr + load.size && load.vaddr < hole.vaddr + hole.size;
    });
    if (!collides) loads->push_back(std::move(hole));
  }
  std::stable_sort(loads->begin(), loads->end(), [](const Load& a, const Load& b) {
    if (a.has_paddr != b.has_paddr) return a.has_paddr;
    return a.page_key() < b.page_key();
  });
}

// NT_PRPSINFO as the kernel writes it for a core of itself: running, "vmlinux", the command line.
std::vector<uint8_t> MakePrpsinfo(const std::string& command_line) {
  constexpr size_t kStateName = 1, kFileName = 40, kPsargs = 56, kPsargsBytes = 80;
  std::vector<uint8_t> prpsinfo(kPrpsinfoBytes);
  prpsinfo[kStateName] = 'R';
  const absl::string_view file_name = "vmlinux";
  std::copy(file_name.begin(), file_name.end(), prpsinfo.begin() + kFileName);
  const size_t n = std::min(command_line.size(), kPsargsBytes - 1);
  std::copy_n(command_line.begin(), n, prpsinfo.begin() + kPsargs);
  return prpsinfo;
}

ElfHeader MakeHeader(const CoreImage& image, size_t loads) {
  ElfHeader header;
  header.type = kElfTypeCore;
  header.machine = image.e_machine;
  header.flags = IsIncomplete(image) ? kFlagIncomplete : 0;
  header.program_headers_offset = kElf64HeaderBytes;
  header.program_header_bytes = kElf64ProgramHeaderBytes;
  header.program_header_count = static_cast<uint16_t>(1 + loads);
  return header;
}

// crash wants the note segment first, its notes before all data, and p_align 0 (else it takes the file for
// netdump's).
std::vector<uint8_t> MakeFront(const CoreImage& image, const std::vector<Load>& loads,
                               const std::vector<uint8_t>& notes, uint64_t notes_offset) {
  std::vector<uint8_t> front;
  AppendElfHeader(MakeHeader(image, loads.size()), &front);
  AppendProgramHeader({.type = kSegmentNote, .offset = notes_offset, .file_size = notes.size()}, &front);
  for (const Load& load : loads) {
    AppendProgramHeader({.type = kSegmentLoad,
                         .flags = kReadWrite,
                         .offset = load.file_offset,
                         .vaddr = load.vaddr,
                         .paddr = load.has_paddr ? load.paddr : kNoPhysicalAddress,
                         .file_size = load.source == nullptr ? 0 : load.size,
                         .memory_size = load.size},
                        &front);
  }
  front.resize(notes_offset);  // room that no hole needed
  front.insert(front.end(), notes.begin(), notes.end());
  return front;
}

absl::Status AppendPadded(const std::shared_ptr<const ByteSource>& source, uint64_t size,
                          PiecewiseSource* file) {
  const uint64_t there = source == nullptr ? 0 : std::min(size, source->size());
  if (there != 0) RETURN_IF_ERROR(file->AppendRange(source, 0, there));
  if (size - there > kMaxMissingBytes) {
    return absl::FailedPreconditionError("more than a gigabyte of a region is missing; take `core` instead");
  }
  file->AppendZeros(size - there);
  return absl::OkStatus();
}

}  // namespace

bool IsIncomplete(const CoreImage& image) {
  if (!image.has_header || !image.vmcoreinfo_region) return true;
  return std::any_of(image.segments.begin(), image.segments.end(), [](const Segment& segment) {
    return segment.available < segment.size || segment.size == 0;
  });
}

absl::StatusOr<std::vector<uint8_t>> MakeNotes(const CoreImage& image) {
  std::vector<uint8_t> notes;
  // All zero, as meminspect's is. gdb needs one of the machine's exact size to have a thread at all.
  if (const uint32_t size = PrstatusBytes(image.e_machine)) {
    AppendNote("CORE", kNotePrstatus, std::vector<uint8_t>(size), &notes);
  }
  AppendNote("CORE", kNotePrpsinfo, MakePrpsinfo(image.command_line), &notes);
  if (image.vmcoreinfo_region) {
    const ByteSource& text = *image.sources[*image.vmcoreinfo_region];
    ASSIGN_OR_RETURN(std::vector<uint8_t> bytes,
                     ReadBytes(text, 0, std::min(text.size(), kMaxVmcoreinfoBytes)));
    AppendNote("VMCOREINFO", kNoteVmcoreinfo, bytes, &notes);
  }
  return notes;
}

absl::StatusOr<std::shared_ptr<const ByteSource>> MakeCoreFile(const CoreImage& image, Holes holes) {
  std::vector<Load> loads = LoadsOf(image);
  if (loads.empty()) return absl::NotFoundError("no region of this crash has a known address");
  if (image.e_machine == 0) {
    return absl::FailedPreconditionError("neither the ELF header nor VMCOREINFO tells the machine");
  }
  JoinSplitLoads(&loads);
  DropVirtualOverlaps(&loads);
  ASSIGN_OR_RETURN(const std::vector<uint8_t> notes, MakeNotes(image));
  // Holes only need program headers: at most one before, between and after.
  const size_t most = holes == Holes::kZero ? 2 * loads.size() + 2 : loads.size();
  const uint64_t notes_offset = kElf64HeaderBytes + (1 + most) * kElf64ProgramHeaderBytes;
  const uint64_t file_end = LayOut(notes_offset + notes.size(), &loads);
  std::vector<Load> all = loads;
  if (holes == Holes::kZero) AddHoles(file_end, &all);

  auto file = std::make_shared<PiecewiseSource>();
  file->AppendBytes(MakeFront(image, all, notes, notes_offset));
  for (const Load& load : loads) {
    file->AppendZeros(load.file_offset - file->size());
    RETURN_IF_ERROR(file->AppendRange(load.source, load.source_offset, load.size));
  }
  file->AlignTo(kFilePage);
  return file;
}

absl::StatusOr<std::shared_ptr<const ByteSource>> MakeConcatenation(const CoreImage& image) {
  if (!image.header_region) {
    return absl::FailedPreconditionError(
        "there is no ELF header region to put in front; take `core` instead");
  }
  auto file = std::make_shared<PiecewiseSource>();
  const std::shared_ptr<const ByteSource> text =
      image.vmcoreinfo_region ? image.sources[*image.vmcoreinfo_region] : nullptr;
  RETURN_IF_ERROR(AppendPadded(image.sources[*image.header_region], image.header_size - image.vmcoreinfo_size,
                               file.get()));
  RETURN_IF_ERROR(AppendPadded(text, image.vmcoreinfo_size, file.get()));
  uint64_t missing = 0;
  for (const Segment& segment : image.segments) {
    missing += std::min(segment.size - segment.available, kMaxMissingBytes + 1);
    if (missing > kMaxMissingBytes) {
      return absl::FailedPreconditionError("more than a gigabyte is missing; take `core` instead");
    }
    RETURN_IF_ERROR(
        AppendPadded(segment.region ? image.sources[*segment.region] : nullptr, segment.size, file.get()));
  }
  return file;
}

}  // namespace corefleet

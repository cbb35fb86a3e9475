#include "core/kdump/vmcore.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/bytes/escape.h"
#include "core/kdump/compressed_dump.h"
#include "core/kdump/disk_dump_header.h"
#include "core/kdump/dump_file.h"
#include "core/kdump/elf_dump.h"
#include "core/kdump/extent_map.h"
#include "core/kdump/flattened.h"
#include "core/kdump/machine_memory.h"

namespace corefleet {
namespace {

constexpr uint32_t kFlagIncomplete = 1;  // makedumpfile's, in e_flags
constexpr uint64_t kKernelHalf = uint64_t{1} << 63;
constexpr uint64_t kNoPhysicalAddress = UINT64_MAX;

// Physical memory out of an ELF dump's loads.
class LoadMemory final : public PhysicalMemory {
 public:
  LoadMemory(std::shared_ptr<const ByteSource> file, ExtentMap loads)
      : file_(std::move(file)), loads_(std::move(loads)) {}

  absl::Status ReadPhysical(uint64_t paddr, absl::Span<uint8_t> out) const override {
    while (!out.empty()) {
      const ExtentMap::Extent* const load = loads_.Find(paddr);
      if (load == nullptr) {
        return absl::NotFoundError(absl::StrCat("physical address 0x", absl::Hex(paddr), " was not dumped"));
      }
      const size_t n = std::min<uint64_t>(out.size(), load->end() - paddr);
      if (absl::Status status = file_->ReadAt(load->at + (paddr - load->start), out.first(n)); !status.ok()) {
        return status;
      }
      out.remove_prefix(n);
      paddr += n;
    }
    return absl::OkStatus();
  }

  uint64_t PhysicalRunFrom(uint64_t paddr, uint64_t want) const override {
    return loads_.RunFrom(paddr, want);
  }

 private:
  const std::shared_ptr<const ByteSource> file_;
  const ExtentMap loads_;
};

// A load's window, with the addresses that the header really gives: QEMU leaves the virtual one 0, drgn and
// gdb read a physical one of all ones as none.
Region RegionOf(const ProgramHeader& load, size_t number, const DumpFile& file) {
  Region region;
  region.name = absl::StrCat("load ", number);
  region.container = file.received;
  if (load.paddr != kNoPhysicalAddress) region.paddr = load.paddr;
  if (load.vaddr >= kKernelHalf) region.vaddr = load.vaddr;
  region.table_size = load.memory_size;
  region.bytes = WindowOf(file.bytes, load.offset, load.file_size);
  return region;
}

class ElfUnpacker {
 public:
  ElfUnpacker(const DumpFile& file, ElfDump elf, Pieces* out)
      : file_(file), elf_(std::move(elf)), out_(*out) {}

  void Unpack() {
    DumpedCore core;
    core.machine = elf_.machine;
    core.elf_flags = elf_.flags;
    core.file = file_.bytes;
    core.is_elf = true;
    core.prstatus_count = elf_.prstatus_count;
    ReportHeaders();
    AddLoads(&core);
    const Vmcoreinfo info = Vmcoreinfo::Parse(BytesOf(elf_.vmcoreinfo), nullptr);
    if (!extents_.empty()) {
      // Of loads that overlap the first answers, as in CoreImage.
      std::reverse(extents_.begin(), extents_.end());
      core.memory =
          WithVirtualAddresses(std::make_shared<LoadMemory>(file_.bytes, ExtentMap(std::move(extents_))),
                               nullptr, elf_.machine, info, known_);
    }
    core.vmcoreinfo = std::move(elf_.vmcoreinfo);
    out_.dump = std::move(core);
  }

 private:
  void Report(DefectCode code, std::string detail) {
    out_.defects.push_back({code, file_.name, std::move(detail)});
  }

  void ReportHeaders() {
    if (!elf_.unsupported.empty()) {
      Report(DefectCode::kUnsupported,
             absl::StrCat(elf_.unsupported,
                          ": of its memory nothing was read; 64-bit little-endian ones are read"));
    }
    if (elf_.vmcoreinfo.empty()) {
      Report(DefectCode::kVmcoreinfoMissing, "no note and nothing in the file's first 64 KiB is VMCOREINFO");
    } else if (elf_.notes_damaged) {
      Report(DefectCode::kNotesDamaged, "no note is VMCOREINFO; its text was found by content");
    }
    if ((elf_.flags & kFlagIncomplete) != 0) {
      Report(DefectCode::kDumpIncomplete, "makedumpfile marked it as not whole: it ran out of room");
    }
    if (elf_.loads_left_out != 0) {
      Report(DefectCode::kHeaderDamaged,
             absl::StrCat(elf_.loads_left_out, " program headers are not there or more than ", kMaxDumpLoads,
                          ": their memory is not read"));
    }
  }

  void AddLoads(DumpedCore* core) {
    uint64_t cut = 0, lost = 0;
    for (const ProgramHeader& load : elf_.loads) {
      const uint64_t there = load.offset >= file_.bytes->size()
                                 ? 0
                                 : std::min(load.file_size, file_.bytes->size() - load.offset);
      if (there < load.file_size) {
        ++cut;
        lost += std::min(load.file_size - there, UINT64_MAX - lost);
      }
      Region region = RegionOf(load, core->loads.size() + 1, file_);
      if (region.paddr && there != 0) extents_.push_back({load.paddr, there, load.offset});
      if (region.paddr && region.vaddr) known_.push_back({load.vaddr, load.paddr, load.memory_size});
      core->loads.push_back(std::move(region));
    }
    if (cut != 0) {
      Report(DefectCode::kRegionTruncated,
             absl::StrCat("the file ends at ", file_.bytes->size(), ": ", cut, " of ", elf_.loads.size(),
                          " loads are cut or missing, ", lost, " bytes"));
    }
  }

  const DumpFile& file_;
  ElfDump elf_;
  Pieces& out_;
  std::vector<ExtentMap::Extent> extents_;
  std::vector<KnownMapping> known_;
};

bool HoldsElf(const DumpFile& file) {
  return LooksLikeElf(
      ReadBytes(*file.bytes, 0, std::min<uint64_t>(file.bytes->size(), 4)).value_or(std::vector<uint8_t>()));
}

void UnpackElf(const DumpFile& file, Pieces* out) {
  if (out->dump) {
    out->defects.push_back(
        {DefectCode::kRegionAmbiguous, file.name, "another dump came with this crash and was read instead"});
    return;
  }
  absl::StatusOr<ElfDump> elf = ReadElfDump(*file.bytes);
  if (!elf.ok()) {
    out->defects.push_back(
        {DefectCode::kContainerDamaged, file.name, EscapeForTerminal(elf.status().message())});
    return;
  }
  ElfUnpacker(file, *std::move(elf), out).Unpack();
}

// The largest first: a cut copy beside the whole file must not be the one that is read.
void UnpackDumps(const std::vector<Artifact>& files, const DumpOpener* opener, Pieces* out) {
  std::vector<DumpFile> elfs, compressed;
  for (const Artifact& artifact : files) {
    std::optional<DumpFile> file = OpenDumpFile(artifact, out);
    if (!file) continue;
    (HoldsElf(*file) ? elfs : compressed).push_back(*std::move(file));
  }
  std::stable_sort(elfs.begin(), elfs.end(),
                   [](const DumpFile& a, const DumpFile& b) { return a.bytes->size() > b.bytes->size(); });
  for (const DumpFile& file : elfs) UnpackElf(file, out);
  if (!compressed.empty()) UnpackCompressed(std::move(compressed), opener, out);
}

}  // namespace

bool LooksLikeVmcore(ByteView head) {
  return LooksLikeFlattened(head) ? LooksLikeElf(FirstFlattenedPiece(head)) : LooksLikeElfDump(head);
}

// A stream whose beginning comes late is taken for this; what it really holds is seen when it is read.
bool LooksLikeCompressedDump(ByteView head) {
  return LooksLikeFlattened(head) ? !LooksLikeElf(FirstFlattenedPiece(head)) : LooksLikeDiskDump(head);
}

void UnpackVmcores(const std::vector<Artifact>& files, const DumpOpener* opener, Pieces* out) {
  UnpackDumps(files, opener, out);
}

void UnpackCompressedDumps(const std::vector<Artifact>& files, const DumpOpener* opener, Pieces* out) {
  UnpackDumps(files, opener, out);
}

}  // namespace corefleet

#include "core/minidump/coprocessor.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/bytes/escape.h"
#include "core/elf/any_elf.h"

namespace corefleet {
namespace {

bool HasSegment(const AnyElf& elf, uint32_t type) {
  return std::any_of(elf.segments.begin(), elf.segments.end(),
                     [type](const ProgramHeader& segment) { return segment.type == type; });
}

// A stretch of the co-processor's memory as the file's headers describe it.
struct Stretch {
  std::string name;
  uint64_t address = 0, offset = 0, size = 0;
};

std::vector<Stretch> StretchesOf(const AnyElf& elf) {
  std::vector<Stretch> stretches;
  for (const ProgramHeader& load : elf.segments) {
    if (load.type != kSegmentLoad) continue;
    stretches.push_back({absl::StrCat("0x", absl::Hex(load.paddr)), load.paddr, load.offset, load.file_size});
  }
  if (!stretches.empty()) return stretches;
  for (const ElfSection& section : elf.sections) {
    if (section.type != kSectionBits) continue;
    std::string name = section.name.empty() ? absl::StrCat("0x", absl::Hex(section.addr)) : section.name;
    stretches.push_back({std::move(name), section.addr, section.offset, section.size});
  }
  return stretches;
}

class CoprocessorDump {
 public:
  CoprocessorDump(const Artifact& file, Pieces* out) : file_(file), out_(*out) {}

  void TakeApart() {
    const absl::StatusOr<AnyElf> elf = ReadAnyElf(*file_.bytes);
    if (!elf.ok()) return Report(DefectCode::kContainerDamaged, "", std::string(elf.status().message()));
    if (elf->segments.size() < elf->segments_said || elf->sections.size() < elf->sections_said) {
      Report(DefectCode::kContainerDamaged, "",
             absl::StrCat("of ", elf->segments_said + elf->sections_said, " headers ",
                          elf->segments.size() + elf->sections.size(), " are in its ", file_.bytes->size(),
                          " bytes"));
    }
    const size_t regions = out_.regions.size(), defects = out_.defects.size();
    for (const Stretch& stretch : StretchesOf(*elf)) Add(stretch);
    if (out_.regions.size() == regions && out_.defects.size() == defects)
      Report(DefectCode::kUnsupported, "", "an ELF core with headers and no memory; kept as received");
  }

 private:
  void Report(DefectCode code, const std::string& region, absl::string_view detail) {
    out_.defects.push_back(
        {code, EscapeForTerminal(region), absl::StrCat(EscapeForTerminal(file_.file_name), ": ", detail)});
  }

  void Add(const Stretch& stretch) {
    if (stretch.size == 0) return;
    if (stretch.size - 1 > UINT64_MAX - stretch.address) {
      return Report(DefectCode::kAddressOverflow, stretch.name,
                    "its address and size leave 64 bits; it is ignored");
    }
    const uint64_t size = file_.bytes->size();
    const uint64_t there = stretch.offset < size ? std::min(stretch.size, size - stretch.offset) : 0;
    if (there < stretch.size) {
      Report(there == 0 ? DefectCode::kRegionMissing : DefectCode::kRegionTruncated, stretch.name,
             absl::StrCat("it has ", there, " of ", stretch.size, " bytes"));
    }
    Region region;
    region.kind = RegionKind::kArtifact;  // never kMemory: it must not be taken for the Linux machine's
    region.name = stretch.name;
    region.file_name = absl::StrCat(file_.file_name, ":", stretch.name);
    region.paddr = region.vaddr = stretch.address;
    region.table_size = stretch.size;
    region.bytes = WindowOf(file_.bytes, stretch.offset, there);
    region.container = file_.received;
    out_.regions.push_back(std::move(region));
  }

  const Artifact& file_;
  Pieces& out_;
};

}  // namespace

bool LooksLikeCoprocessorDump(ByteView head) {
  if (!LooksLikeElf(head)) return false;
  const absl::StatusOr<AnyElf> elf = ReadAnyElf(MemorySource(std::vector<uint8_t>(head.begin(), head.end())));
  if (!elf.ok() || elf->type != kElfTypeCore) return false;
  return elf->segments_said == 0 || (HasSegment(*elf, kSegmentLoad) && !HasSegment(*elf, kSegmentNote));
}

void UnpackCoprocessorDumps(const std::vector<Artifact>& files, const DumpOpener*, Pieces* out) {
  for (const Artifact& file : files) CoprocessorDump(file, out).TakeApart();
}

}  // namespace corefleet

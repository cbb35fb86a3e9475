#include "core/kdump/compressed_dump.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/bytes/escape.h"
#include "core/kdump/disk_dump_header.h"
#include "core/kdump/machine_memory.h"
#include "core/kdump/page_index.h"
#include "core/vmcoreinfo/machine.h"

namespace corefleet {
namespace {

constexpr size_t kMaxParts = 64;

struct Part {
  DumpFile file;
  DiskDumpHeader header;
};

// The files of one dump, in the order of their page frames.
using Parts = std::vector<Part>;

uint64_t BytesOfParts(const Parts& parts) {
  uint64_t sum = 0;
  for (const Part& part : parts) sum += part.file.bytes->size();
  return sum;
}

std::string NamesOf(const Parts& parts) {
  return absl::StrJoin(parts, ", ", [](std::string* out, const Part& part) { out->append(part.file.name); });
}

uint16_t MachineOfName(absl::string_view name) {
  struct Machine {
    absl::string_view name;
    uint16_t number;
  };
  constexpr Machine kMachines[] = {
      {"x86_64", 62}, {"aarch64", 183}, {"aarch64_be", 183}, {"riscv64", 243},
      {"ppc64", 21},  {"ppc64le", 21},  {"s390x", 22},       {"i386", 3},
      {"i486", 3},    {"i586", 3},      {"i686", 3},         {"armv7l", 40},
      {"armv6l", 40}, {"mips64", 8},    {"mips", 8},         {"loongarch64", 258}};
  for (const Machine& machine : kMachines) {
    if (machine.name == name) return machine.number;
  }
  return 0;
}

class CompressedUnpacker {
 public:
  CompressedUnpacker(Parts parts, const DumpOpener* opener, Pieces* out)
      : parts_(std::move(parts)),
        first_(parts_.front()),
        names_(NamesOf(parts_)),
        opener_(opener),
        out_(*out) {}

  void Unpack() {
    const DiskDumpHeader& header = first_.header;
    DumpedCore core;
    core.machine = MachineOfName(header.machine_name);
    core.release = EscapeForTerminal(header.release);
    core.version = EscapeForTerminal(header.kernel_version);
    core.machine_name = EscapeForTerminal(header.machine_name);
    core.vmcoreinfo = ReadVmcoreinfoText(*first_.file.bytes, header);
    core.prstatus_count = CountPrstatus(*first_.file.bytes, header);
    if (parts_.size() == 1) core.file = first_.file.bytes;
    if (core.machine == 0) core.machine = MachineOf(Vmcoreinfo::Parse(BytesOf(core.vmcoreinfo), nullptr));
    if (core.vmcoreinfo.empty()) {
      Report(DefectCode::kVmcoreinfoMissing, "the dump's header leads to no VMCOREINFO");
    }
    ReportLosses();
    core.memory = Open(core);
    out_.dump = std::move(core);
  }

 private:
  void Report(DefectCode code, std::string detail) {
    out_.defects.push_back({code, names_, std::move(detail)});
  }

  void ReportLosses() {
    for (const Part& part : parts_) {
      damaged_ = damaged_ || (part.header.status & kDumpIncompleteStatus) != 0;
      const std::string missing = MissingTail(*part.file.bytes, part.header);
      if (!missing.empty()) {
        damaged_ = true;
        out_.defects.push_back({DefectCode::kRegionTruncated, part.file.name, missing});
      } else if ((part.header.status & kDumpIncompleteStatus) != 0) {
        out_.defects.push_back({DefectCode::kDumpIncomplete, part.file.name,
                                "makedumpfile marked it as not whole: it ran out of room"});
      }
    }
    if (!first_.header.split) return;
    uint64_t next = 0;
    for (const Part& part : parts_) {
      if (part.header.first_frame > next) ReportMissingFrames(next, part.header.first_frame);
      next = std::max(next, part.header.end_frame);
    }
    if (next < first_.header.page_frames) ReportMissingFrames(next, first_.header.page_frames);
  }

  void ReportMissingFrames(uint64_t from, uint64_t to) {
    Report(DefectCode::kDumpIncomplete, absl::StrCat("a split dump, of which the part with page frames ",
                                                     from, " to ", to - 1, " is not here"));
  }

  std::shared_ptr<const DumpedMemory> Open(const DumpedCore& core) {
    if (opener_ == nullptr) {
      Report(DefectCode::kUnsupported,
             "only its header was read: its pages are compressed, and no reader of such is here");
      return nullptr;
    }
    std::vector<std::shared_ptr<const ByteSource>> files;
    for (const Part& part : parts_) files.push_back(part.file.bytes);
    absl::StatusOr<std::shared_ptr<const DumpedMemory>> memory = opener_->Open(files);
    if (!memory.ok()) {
      Report(
          absl::IsInvalidArgument(memory.status()) ? DefectCode::kContainerDamaged : DefectCode::kUnsupported,
          absl::StrCat("only its header was read: ", EscapeForTerminal(memory.status().message())));
      return nullptr;
    }
    const Vmcoreinfo info = Vmcoreinfo::Parse(BytesOf(core.vmcoreinfo), nullptr);
    if (!damaged_) return WithVirtualAddresses(*memory, *memory, core.machine, info, {});
    std::vector<PageIndex> pages;
    for (const Part& part : parts_) pages.emplace_back(part.file.bytes, part.header);
    return WithVirtualAddresses(OnlyWholePages(*memory, std::move(pages), first_.header.block_size), nullptr,
                                core.machine, info, {});
  }

  const Parts parts_;
  const Part& first_;
  const std::string names_;
  const DumpOpener* const opener_;
  Pieces& out_;
  bool damaged_ = false;  // pages are missing that are listed
};

// What the parts of one dump have in common. A dump that is not split is one for itself.
using Identity = std::tuple<std::string, std::string, std::string, uint64_t, uint64_t, uint64_t>;

Identity IdentityOf(const Part& part, size_t index) {
  const DiskDumpHeader& header = part.header;
  return {header.node,          header.release,     header.kernel_version,
          header.crash_seconds, header.page_frames, header.split ? 0 : index + 1};
}

std::vector<Parts> Group(std::vector<Part> parts) {
  std::map<Identity, Parts> groups;
  for (size_t i = 0; i < parts.size(); ++i) {
    const Identity identity = IdentityOf(parts[i], i);
    groups[identity].push_back(std::move(parts[i]));
  }
  std::vector<Parts> dumps;
  for (auto& [identity, group] : groups) {
    std::stable_sort(group.begin(), group.end(), [](const Part& a, const Part& b) {
      return a.header.first_frame < b.header.first_frame;
    });
    dumps.push_back(std::move(group));
  }
  std::stable_sort(dumps.begin(), dumps.end(),
                   [](const Parts& a, const Parts& b) { return BytesOfParts(a) > BytesOfParts(b); });
  return dumps;
}

// A part that is there twice is read once: the larger copy.
void DropRepeats(Parts* parts, Pieces* out) {
  Parts kept;
  for (Part& part : *parts) {
    if (kept.empty() || kept.back().header.first_frame != part.header.first_frame || !part.header.split) {
      kept.push_back(std::move(part));
      continue;
    }
    if (part.file.bytes->size() > kept.back().file.bytes->size()) std::swap(kept.back(), part);
    out->defects.push_back({DefectCode::kRegionDuplicate, part.file.name,
                            absl::StrCat("the same part of the dump as ", kept.back().file.name)});
  }
  *parts = std::move(kept);
}

}  // namespace

void UnpackCompressed(std::vector<DumpFile> files, const DumpOpener* opener, Pieces* out) {
  std::vector<Part> parts;
  for (DumpFile& file : files) {
    absl::StatusOr<DiskDumpHeader> header = ReadDiskDumpHeader(*file.bytes);
    if (!header.ok()) {
      out->defects.push_back(
          {DefectCode::kContainerDamaged, file.name, EscapeForTerminal(header.status().message())});
    } else if (parts.size() < kMaxParts) {
      parts.push_back({std::move(file), *std::move(header)});
    }
  }
  for (Parts& dump : Group(std::move(parts))) {
    DropRepeats(&dump, out);
    if (out->dump) {
      out->defects.push_back({DefectCode::kRegionAmbiguous, NamesOf(dump),
                              "another dump came with this crash and was read instead"});
    } else {
      CompressedUnpacker(std::move(dump), opener, out).Unpack();
    }
  }
}

}  // namespace corefleet

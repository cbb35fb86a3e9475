#include "core/unpack/unpack.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/bytes/escape.h"
#include "core/kdump/vmcore.h"
#include "core/kinfo/kinfo_area.h"
#include "core/minidump/assembled.h"
#include "core/minidump/coprocessor.h"
#include "core/minidump/qaic.h"
#include "core/minidump/raw_dump.h"
#include "core/printk/log_text.h"
#include "core/pstore/ramoops.h"
#include "core/pstore/records.h"
#include "core/unpack/recognise.h"

namespace corefleet {
namespace {

// A Raw_Dmp! container holds a qdl core that holds regions: deeper than this nothing real goes.
constexpr int kMaxDepth = 3;

Unpacker UnpackerOf(Format format) {
  switch (format) {
    case Format::kRawDump:
      return &UnpackRawDumps;
    case Format::kQaic:
      return &UnpackQaic;
    case Format::kAssembled:
      return &UnpackAssembled;
    case Format::kCoprocessor:
      return &UnpackCoprocessorDumps;
    case Format::kKinfo:
      return &UnpackKinfos;
    case Format::kPstoreRecord:
      return &UnpackPstoreRecords;
    case Format::kRamoops:
      return &UnpackRamoops;
    case Format::kVmcore:
      return &UnpackVmcores;
    case Format::kCompressedDump:
      return &UnpackCompressedDumps;
    case Format::kLogText:
      return &UnpackLogTexts;
    case Format::kUnknown:
    case Format::kAddressTable:
      return nullptr;
  }
  return nullptr;
}

Artifact ArtifactOf(const Region& region, uint32_t index) {
  Artifact artifact{.received = index, .file_name = region.file_name, .bytes = region.bytes};
  auto head = ReadBytes(*region.bytes, 0, std::min<uint64_t>(region.bytes->size(), kArtifactHeadBytes));
  if (head.ok()) artifact.head = *std::move(head);
  return artifact;
}

// What a crash came as, if files of several formats came: whose memory is most of it.
constexpr Format kByWeight[] = {
    Format::kCompressedDump, Format::kVmcore,       Format::kRawDump, Format::kQaic,    Format::kAssembled,
    Format::kCoprocessor,    Format::kPstoreRecord, Format::kRamoops, Format::kLogText, Format::kKinfo};

class Run {
 public:
  Run(const RegionSet& received, const DumpOpener* opener) : received_(received), opener_(opener) {}

  Unpacked Take() {
    out_.set = received_;
    out_.formats.assign(received_.regions.size(), Format::kUnknown);
    std::vector<Artifact> waiting;
    for (uint32_t i = 0; i < received_.regions.size(); ++i) {
      const Region& region = received_.regions[i];
      if (region.kind == RegionKind::kArtifact && region.bytes != nullptr)
        waiting.push_back(ArtifactOf(region, i));
    }
    for (int depth = 0; depth < kMaxDepth && !waiting.empty(); ++depth)
      waiting = Round(std::move(waiting), depth);
    for (const Artifact& left : waiting) KeepOpaque(left);
    out_.source = std::string(Source());
    return std::move(out_);
  }

 private:
  // Takes all of `files` apart; what is in them and has to be looked at is the next round's.
  std::vector<Artifact> Round(std::vector<Artifact> files, int depth) {
    std::stable_sort(files.begin(), files.end(),
                     [](const Artifact& a, const Artifact& b) { return a.file_name < b.file_name; });
    std::map<Format, std::vector<Artifact>> by_format;
    for (Artifact& file : files) {
      const Format format = Recognise(file.file_name, file.head, file.bytes->size());
      if (depth == 0) out_.formats[file.received] = format;
      by_format[format].push_back(std::move(file));
    }
    Pieces pieces;
    for (const auto& [format, group] : by_format) {
      seen_.push_back(format);
      if (const Unpacker unpack = UnpackerOf(format)) {
        unpack(group, opener_, &pieces);
      } else {
        for (const Artifact& file : group) KeepAsItIs(file, format, depth);
      }
    }
    Absorb(&pieces);
    return std::move(pieces.artifacts);
  }

  void KeepAsItIs(const Artifact& file, Format format, int depth) {
    if (format != Format::kAddressTable) return depth == 0 ? ReportUnknown(file) : KeepOpaque(file);
    if (depth == 0) {
      out_.set.regions[file.received].kind = RegionKind::kAddressTable;
    } else {
      AddRegion({.kind = RegionKind::kAddressTable,
                 .file_name = file.file_name,
                 .bytes = file.bytes,
                 .container = file.received});
    }
  }

  void ReportUnknown(const Artifact& file) {
    out_.defects.push_back(
        {DefectCode::kUnrecognised, EscapeForTerminal(file.file_name),
         absl::StrCat("its ", file.bytes->size(), " bytes are of no known kind; kept as received")});
  }

  // Something inside of a container: it gets a name of its own, so that it can be read.
  void KeepOpaque(const Artifact& file) {
    AddRegion({.kind = RegionKind::kArtifact,
               .file_name = file.file_name,
               .bytes = file.bytes,
               .container = file.received});
  }

  void AddRegion(Region region) {
    if (out_.set.regions.size() >= received_.regions.size() + kMaxRegions) {
      if (!full_) {
        out_.defects.push_back(
            {DefectCode::kContainerDamaged, "",
             absl::StrCat("more than ", kMaxRegions, " pieces in it; the rest is kept in the file")});
      }
      full_ = true;
      return;
    }
    out_.set.regions.push_back(std::move(region));
  }

  void Absorb(Pieces* pieces) {
    for (Region& region : pieces->regions) AddRegion(std::move(region));
    std::move(pieces->texts.begin(), pieces->texts.end(), std::back_inserter(out_.texts));
    std::move(pieces->kinfos.begin(), pieces->kinfos.end(), std::back_inserter(out_.kinfos));
    std::move(pieces->defects.begin(), pieces->defects.end(), std::back_inserter(out_.defects));
    if (pieces->dump && !out_.dump) out_.dump = std::move(pieces->dump);
    std::stable_sort(out_.texts.begin(), out_.texts.end(),
                     [](const KernelText& a, const KernelText& b) { return a.kind < b.kind; });
  }

  absl::string_view Source() const {
    const bool memory = std::any_of(received_.regions.begin(), received_.regions.end(),
                                    [](const Region& region) { return region.kind == RegionKind::kMemory; });
    if (memory) return "meminspect";
    for (const Format format : kByWeight) {
      if (std::find(seen_.begin(), seen_.end(), format) != seen_.end()) return SourceName(format);
    }
    return SourceName(Format::kUnknown);
  }

  const RegionSet& received_;
  const DumpOpener* const opener_;
  Unpacked out_;
  std::vector<Format> seen_;
  bool full_ = false;
};

}  // namespace

Unpacked Unpack(const RegionSet& received, const DumpOpener* opener) { return Run(received, opener).Take(); }

}  // namespace corefleet

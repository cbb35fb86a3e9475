#include "collector/source/region_folder.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "collector/source/located_files.h"
#include "core/bytes/escape.h"
#include "core/manifest/manifest.h"
#include "core/meminspect/names.h"
#include "core/minidump/tables.h"

namespace corefleet {
namespace {

constexpr absl::string_view kTableName = "minidump_toc.bin";
constexpr absl::string_view kEdlFolder = "memory";
constexpr absl::string_view kAssembledNames[] = {"minidump.elf", "ap_minidump.elf"};
constexpr absl::string_view kElfMark =
    "\x7f"
    "ELF";
// edl's log has a line for each half MiB that it read.
constexpr uint64_t kMaxTableBytes = 4 << 20;
constexpr uint64_t kMaxKinfoBytes = 1 << 20;
// Files beside the regions that are looked into.
constexpr int kMaxProbes = 64;

bool HasRegions(const Folder& folder) {
  return std::any_of(folder.entries().begin(), folder.entries().end(),
                     [](const FolderEntry& entry) { return entry.is_file && IsRegionFileName(entry.name); });
}

absl::StatusOr<Region> OpenRegion(int folder, const std::string& name) {
  absl::StatusOr<std::shared_ptr<const FileBytes>> bytes = FileBytes::OpenAt(folder, name);
  if (absl::IsNotFound(bytes.status())) {
    return absl::UnavailableError(
        absl::StrCat(EscapeForTerminal(name), ": vanished while the folder was read"));
  }
  RETURN_IF_ERROR(bytes.status());
  Region region;
  region.file_name = name;
  region.bytes = *std::move(bytes);
  return region;
}

void NameRegion(Region* region) {
  if (std::optional<RegionFileName> hint = ParseRegionFileName(region->file_name)) {
    region->name = std::move(hint->name);
    region->id = hint->id;
  }
}

// The files that a list names, in lower case; the firmware's own rows name regions, not files.
absl::Status AddListed(TableForm form, const ByteSource& bytes, std::set<std::string>* listed) {
  if (form == TableForm::kNone || form == TableForm::kRegionRows) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<uint8_t> content, ReadBytes(bytes, 0, bytes.size()));
  for (const AddressRow& row : ParseAnyTable(form, content).rows) {
    if (!row.file_name.empty()) listed->insert(absl::AsciiStrToLower(row.file_name));
  }
  return absl::OkStatus();
}

// A list of addresses, if the file is one. By its own name it is taken even when damaged: the server then
// says what is wrong.
std::optional<Region> OpenTable(int folder, const std::string& name, std::set<std::string>* listed) {
  absl::StatusOr<std::shared_ptr<const FileBytes>> bytes = FileBytes::OpenAt(folder, name);
  if (!bytes.ok() || (*bytes)->size() == 0 || (*bytes)->size() > kMaxTableBytes) return std::nullopt;
  const TableForm form = RecogniseTable(name, HeadOf(**bytes), (*bytes)->size());
  const bool is_firmwares = form == TableForm::kRegionRows || absl::EqualsIgnoreCase(name, kTableName);
  if (form == TableForm::kNone && !is_firmwares) return std::nullopt;
  if (!AddListed(form, **bytes, listed).ok()) return std::nullopt;
  Region table = ArtifactOf(name, *std::move(bytes));
  if (is_firmwares) table.kind = RegionKind::kAddressTable;
  return table;
}

bool HasAssembledName(const std::string& name) {
  return std::any_of(std::begin(kAssembledNames), std::end(kAssembledNames),
                     [&](absl::string_view known) { return absl::EqualsIgnoreCase(name, known); });
}

bool IsElf(const ByteSource& bytes) {
  const auto mark = ReadBytes(bytes, 0, std::min<uint64_t>(bytes.size(), kElfMark.size()));
  return mark.ok() && std::equal(mark->begin(), mark->end(), kElfMark.begin(), kElfMark.end());
}

// One folder on its way to a crash.
class Taking {
 public:
  Taking(Folder* folder, FoundCrash* crash)
      : folder_(folder), crash_(crash), taken_(folder->entries().size()) {}

  // A file that is there and cannot be read fails the whole: a crash without it would be another crash, and
  // the next try may get it all.
  absl::Status All() {
    RETURN_IF_ERROR(Regions());
    Tables();
    Leavings();
    return Listed();
  }

  // Lists only: what lies above edl's folder.
  void Tables() {
    for (size_t i = 0; i < taken_.size(); ++i) {
      const FolderEntry& entry = folder_->entries()[i];
      if (taken_[i] || !entry.is_file || ++probes_ > kMaxProbes) continue;
      std::optional<Region> table = OpenTable(folder_->fd(), entry.name, &listed_);
      if (table) Take(i, *std::move(table));
    }
  }

  std::set<std::string>& listed() { return listed_; }

 private:
  // What comes after the last region that a crash may have is left.
  void Take(size_t entry, Region region) {
    if (crash_->regions.regions.size() >= kMaxRegions) return;
    taken_[entry] = true;
    crash_->regions.regions.push_back(std::move(region));
  }

  absl::Status TakeMemory(size_t entry) {
    if (crash_->regions.regions.size() >= kMaxRegions)
      return absl::InvalidArgumentError(absl::StrCat("more than ", kMaxRegions, " region files"));
    ASSIGN_OR_RETURN(Region region, OpenRegion(folder_->fd(), folder_->entries()[entry].name));
    NameRegion(&region);
    Take(entry, std::move(region));
    return absl::OkStatus();
  }

  absl::Status Regions() {
    for (size_t i = 0; i < taken_.size(); ++i) {
      const FolderEntry& entry = folder_->entries()[i];
      if (!IsRegionFileName(entry.name)) continue;
      if (entry.is_file) {
        RETURN_IF_ERROR(TakeMemory(i));
      } else {
        crash_->skipped.push_back(absl::StrCat(EscapeForTerminal(entry.name), ": is no regular file"));
      }
    }
    return absl::OkStatus();
  }

  // The tools' own core, and a Kinfo area.
  void Leavings() {
    for (size_t i = 0; i < taken_.size(); ++i) {
      const FolderEntry& entry = folder_->entries()[i];
      if (taken_[i] || !entry.is_file) continue;
      const bool is_kinfo = entry.size <= kMaxKinfoBytes && folder_->FormatOf(i) == Format::kKinfo;
      if (!is_kinfo && !HasAssembledName(entry.name)) continue;
      auto bytes = FileBytes::OpenAt(folder_->fd(), entry.name);
      if (bytes.ok() && (is_kinfo || IsElf(**bytes))) Take(i, ArtifactOf(entry.name, *std::move(bytes)));
    }
  }

  absl::Status Listed() {
    for (size_t i = 0; i < taken_.size(); ++i) {
      const FolderEntry& entry = folder_->entries()[i];
      if (!taken_[i] && entry.is_file && listed_.count(absl::AsciiStrToLower(entry.name)))
        RETURN_IF_ERROR(TakeMemory(i));
    }
    return absl::OkStatus();
  }

  Folder* const folder_;
  FoundCrash* const crash_;
  std::vector<bool> taken_;
  std::set<std::string> listed_;  // file names, in lower case
  int probes_ = 0;
};

// edl prints its log where it was started, and writes regions into `memory/` below.
void TakeTablesAbove(const CrashLocation& where, FoundCrash* crash, std::set<std::string>* listed) {
  if (where.below.empty() || where.below.back() != kEdlFolder) return;
  std::vector<std::string> above(where.below.begin(), where.below.end() - 1);
  absl::StatusOr<Folder> folder = Folder::Open(where.root, above);
  if (!folder.ok() || HasRegions(*folder)) return;
  Taking taking(&*folder, crash);
  taking.Tables();
  *listed = std::move(taking.listed());
}

// Whether a list in the folder names a file in it.
bool HasListedFiles(Folder* folder) {
  std::set<std::string> listed;
  for (size_t i = 0; i < folder->entries().size(); ++i) {
    if (folder->FormatOf(i) == Format::kAddressTable)
      OpenTable(folder->fd(), folder->entries()[i].name, &listed);
  }
  if (listed.empty()) return false;
  for (size_t i = 0; i < folder->entries().size(); ++i) {
    const FolderEntry& entry = folder->entries()[i];
    if (entry.is_file && folder->FormatOf(i) != Format::kAddressTable &&
        listed.count(absl::AsciiStrToLower(entry.name)))
      return true;
  }
  return false;
}

absl::StatusOr<FoundCrash> OpenFile(const CrashLocation& where) {
  ASSIGN_OR_RETURN(FoundCrash crash, OpenAsArtifacts(where));
  Region& region = crash.regions.regions.front();
  if (!IsRegionFileName(region.file_name)) return crash;
  region.kind = RegionKind::kMemory;
  NameRegion(&region);
  return crash;
}

}  // namespace

bool IsRegionFileName(absl::string_view name) {
  return name.size() > 7 && name.size() <= kMaxNameBytes && absl::StartsWithIgnoreCase(name, "md_") &&
         absl::EndsWithIgnoreCase(name, ".bin");
}

std::vector<CrashLocation> RegionFolderAdapter::FindIn(Folder* folder) const {
  if (!HasRegions(*folder) && !HasListedFiles(folder)) return {};
  folder->ClaimAll();
  return {LocationIn(*folder, this, {})};
}

bool RegionFolderAdapter::TakesFile(const std::string& name, Format format) const {
  return IsRegionFileName(name) || format == Format::kAddressTable;
}

absl::StatusOr<FoundCrash> RegionFolderAdapter::Open(const CrashLocation& where) const {
  if (where.root_is_file) return OpenFile(where);
  ASSIGN_OR_RETURN(Folder folder, Folder::Open(where.root, where.below));
  FoundCrash crash{.path = where.path()};
  if (!HasRegions(folder) && !HasListedFiles(&folder))
    return absl::NotFoundError(absl::StrCat(EscapeForTerminal(crash.path), ": no regions are left in it"));
  Taking taking(&folder, &crash);
  TakeTablesAbove(where, &crash, &taking.listed());
  if (absl::Status status = taking.All(); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat(EscapeForTerminal(crash.path), ": ", status.message()));
  }
  return crash;
}

}  // namespace corefleet

#include "collector/source/find_crashes.h"

#include <errno.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "collector/source/artifact_file.h"
#include "collector/source/devcoredump.h"
#include "collector/source/dump_file.h"
#include "collector/source/located_files.h"
#include "collector/source/pstore_folder.h"
#include "collector/source/raw_dump.h"
#include "collector/source/region_folder.h"
#include "core/bytes/escape.h"
#include "core/digest/digest.h"
#include "core/unpack/recognise.h"

namespace corefleet {
namespace {

constexpr absl::string_view kEdlFolder = "memory";
constexpr uint64_t kMaxKinfoBytes = 1 << 20;
// Crashes at one path. A lab's folder may have thousands; more than this is no folder of crashes.
constexpr size_t kMaxCrashes = 100000;

const RegionFolderAdapter kRegionFolder;
const RawDumpAdapter kRawDump;
const PstoreFolderAdapter kPstoreFolder;
const DevcoredumpAdapter kDevcoredump;
const DumpFileAdapter kDumpFile;
const ArtifactFileAdapter kArtifactFile;

// Folders of folders: where a tool makes a level of its own.
bool IsLevelOfATool(const std::string& name) {
  return name == kEdlFolder || (!name.empty() && std::all_of(name.begin(), name.end(),
                                                             [](char c) { return absl::ascii_isdigit(c); }));
}

bool IsKernelsOwn(const Folder& folder) { return folder.IsOn(PSTOREFS_MAGIC) || folder.IsOn(SYSFS_MAGIC); }

// What came of looking through a folder.
struct Search {
  std::vector<CrashLocation> found;
  size_t files = 0;
  size_t folders = 0;
};

void LookInto(Folder* folder, Search* search) {
  for (const SourceAdapter* adapter : SourceAdapters()) {
    for (CrashLocation& location : adapter->FindIn(folder)) {
      if (search->found.size() < kMaxCrashes) search->found.push_back(std::move(location));
    }
  }
}

// Looks through the folders in `folder`, and those that tools make in them.
void LookBelow(const Folder& folder, bool every_folder, Search* search) {
  for (const FolderEntry& entry : folder.entries()) {
    if (!entry.is_folder || !(every_folder || IsLevelOfATool(entry.name))) continue;
    std::vector<std::string> below = folder.below();
    below.push_back(entry.name);
    absl::StatusOr<Folder> child = Folder::Open(folder.root(), below);
    if (!child.ok()) continue;  // What cannot be opened has nothing for us.
    LookInto(&*child, search);
    if (every_folder) LookBelow(*child, /*every_folder=*/false, search);
  }
}

absl::Status NothingFound(const std::string& path, const Folder& folder) {
  const auto& entries = folder.entries();
  const auto files = std::count_if(entries.begin(), entries.end(), [](const auto& e) { return e.is_file; });
  const auto folders =
      std::count_if(entries.begin(), entries.end(), [](const auto& e) { return e.is_folder; });
  return absl::NotFoundError(absl::StrCat(
      EscapeForTerminal(path),
      ": no crash here. Looked for region files (such as md_KELF1.BIN), Raw_Dmp! containers, QAIC blobs, ",
      "pstore records, vmcores, co-processor dumps, Debug Kinfo areas, ramoops images and kernel logs, in "
      "it ",
      "and in the folders in it; found ", files, " other files and ", folders,
      " folders. A file that you name yourself is taken whatever it is"));
}

absl::StatusOr<std::vector<CrashLocation>> FindInFolder(const std::string& path) {
  ASSIGN_OR_RETURN(Folder folder, Folder::Open(path, {}));
  Search search;
  LookInto(&folder, &search);
  LookBelow(folder, /*every_folder=*/true, &search);
  if (search.found.empty() && !IsKernelsOwn(folder)) return NothingFound(path, folder);
  return std::move(search.found);
}

// What a whole device is taken for. Texts are not: any disk may begin with one.
bool IsFormatOfADevice(Format format) {
  switch (format) {
    case Format::kUnknown:
    case Format::kAddressTable:
    case Format::kPstoreRecord:
    case Format::kLogText:
      return false;
    default:
      return true;
  }
}

absl::StatusOr<std::vector<CrashLocation>> FindInFile(const std::string& path) {
  ASSIGN_OR_RETURN(const NamedFile file, OpenNamedFile(path));
  const std::vector<uint8_t> head = HeadOf(*file.bytes);
  const Format format = head.empty() ? Format::kUnknown : Recognise(file.name, head, file.bytes->size());
  if (file.is_device && !IsFormatOfADevice(format)) return std::vector<CrashLocation>();
  for (const SourceAdapter* adapter : SourceAdapters()) {
    if (!adapter->TakesFile(file.name, format)) continue;
    return std::vector<CrashLocation>{{.adapter = adapter, .root = path, .root_is_file = true}};
  }
  return absl::InternalError("nobody takes files");
}

// Devices do not change their time when they are written.
absl::StatusOr<std::string> DescribeFile(const std::string& path) {
  ASSIGN_OR_RETURN(const NamedFile file, OpenNamedFile(path));
  if (!file.is_device) return file.version;
  return absl::StrCat(file.version, " ", HexOf(Sha256Of(ByteView(HeadOf(*file.bytes)))));
}

}  // namespace

const std::vector<const SourceAdapter*>& SourceAdapters() {
  static const auto* const adapters = new std::vector<const SourceAdapter*>{
      &kRegionFolder, &kPstoreFolder, &kDevcoredump, &kRawDump, &kDumpFile, &kArtifactFile};
  return *adapters;
}

absl::StatusOr<std::vector<CrashLocation>> FindCrashes(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return FileError(errno, path);
  return S_ISDIR(info.st_mode) ? FindInFolder(path) : FindInFile(path);
}

absl::StatusOr<FoundCrash> OpenCrash(const CrashLocation& where) {
  ASSIGN_OR_RETURN(FoundCrash crash, where.adapter->Open(where));
  crash.source = std::string(where.adapter->name());
  return crash;
}

absl::StatusOr<std::string> DescribeContents(const CrashLocation& where) {
  if (where.root_is_file) return DescribeFile(where.root);
  // A driver hands its dump over in one piece.
  if (where.adapter == &kDevcoredump) return where.path();
  ASSIGN_OR_RETURN(const Folder folder, Folder::Open(where.root, where.below));
  std::string contents;
  for (const FolderEntry& entry : folder.entries()) {
    const bool ours = where.files.empty() ||
                      std::find(where.files.begin(), where.files.end(), entry.name) != where.files.end();
    if (ours && entry.is_file) absl::StrAppend(&contents, entry.name, "/", entry.version, "\n");
  }
  return contents;
}

std::vector<std::string> FoldersBelow(const std::string& path) {
  std::vector<std::string> below;
  const absl::StatusOr<Folder> folder = Folder::Open(path, {});
  if (!folder.ok()) return below;
  for (const FolderEntry& entry : folder->entries()) {
    if (!entry.is_folder) continue;
    const absl::StatusOr<Folder> child = Folder::Open(path, {entry.name});
    if (!child.ok()) continue;
    below.push_back(CrashLocation{.root = path, .below = {entry.name}}.path());
    for (const FolderEntry& inner : child->entries()) {
      if (inner.is_folder && IsLevelOfATool(inner.name))
        below.push_back(CrashLocation{.root = path, .below = {entry.name, inner.name}}.path());
    }
  }
  return below;
}

absl::Status AttachKinfo(const std::string& path, const CrashLocation& where, FoundCrash* crash) {
  if (where.adapter != &kRegionFolder && where.adapter != &kRawDump) return absl::OkStatus();
  ASSIGN_OR_RETURN(const NamedFile file, OpenNamedFile(path));
  const std::vector<uint8_t> head = HeadOf(*file.bytes);
  if (file.bytes->size() > kMaxKinfoBytes ||
      Recognise(file.name, head, file.bytes->size()) != Format::kKinfo) {
    return absl::InvalidArgumentError(absl::StrCat(EscapeForTerminal(path), ": is no Debug Kinfo area"));
  }
  crash->regions.regions.push_back(ArtifactOf(file.name, file.bytes));
  return absl::OkStatus();
}

void AllowManyOpenFiles() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

absl::Status HandOver(const CrashLocation& where, const SourceOptions& options, CrashSink& sink, Fate* fate) {
  ASSIGN_OR_RETURN(FoundCrash crash, OpenCrash(where));
  if (!options.kinfo.empty()) RETURN_IF_ERROR(AttachKinfo(options.kinfo, where, &crash));
  ASSIGN_OR_RETURN(*fate, sink.Accept(crash));
  return options.release && *fate == Fate::kSafe ? where.adapter->Release(where) : absl::OkStatus();
}

absl::Status NamedPaths::Drain(CrashSink& sink) {
  absl::Status first;
  for (const std::string& path : paths_) {
    const absl::StatusOr<std::vector<CrashLocation>> crashes = FindCrashes(path);
    first.Update(crashes.status());
    if (!crashes.ok()) continue;
    if (crashes->empty() && options_.on_nothing) options_.on_nothing(path);
    for (const CrashLocation& crash : *crashes) {
      Fate fate;
      first.Update(HandOver(crash, options_, sink, &fate));
    }
  }
  return first;
}

}  // namespace corefleet

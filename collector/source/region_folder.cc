#include "collector/source/region_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "collector/source/file_bytes.h"
#include "core/bytes/escape.h"
#include "core/manifest/manifest.h"
#include "core/meminspect/names.h"
#include "core/minidump/address_table.h"

namespace corefleet {
namespace {

constexpr absl::string_view kTableName = "minidump_toc.bin";
constexpr absl::string_view kEdlFolder = "memory";
// A table has at most 1024 rows of 40 bytes; nothing larger is worth a look.
constexpr uint64_t kMaxTableBytes = kMaxAddressRows * kAddressRowBytes;
// A folder with more entries than this is no folder of regions, and is not worth a device's time.
constexpr size_t kMaxEntries = 65536;
// Files that are no regions and could be an address table: how many of them are looked into.
constexpr int kMaxTableProbes = 64;

struct Entry {
  std::string name;
  std::string version;  // changes when the file does
  bool is_file = false;
  bool is_folder = false;
};

absl::StatusOr<OwnedFd> OpenFolder(int at, const std::string& name, int flags) {
  OwnedFd fd(openat(at, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK | flags));
  if (!fd.valid()) {
    // A path that exists and is no folder deserves better than "not found".
    if (errno == ENOTDIR)
      return absl::FailedPreconditionError(absl::StrCat(EscapeForTerminal(name), ": is no folder"));
    return FileError(errno, name);
  }
  return fd;
}

Entry EntryOf(int folder, const dirent& raw) {
  Entry entry{.name = raw.d_name};
  struct stat info;
  if (fstatat(folder, raw.d_name, &info, AT_SYMLINK_NOFOLLOW) == 0) {
    entry.is_file = S_ISREG(info.st_mode);
    entry.is_folder = S_ISDIR(info.st_mode);
    entry.version =
        absl::StrCat(info.st_ino, " ", info.st_size, " ", info.st_mtim.tv_sec, ".", info.st_mtim.tv_nsec);
  }
  return entry;
}

// What is in the folder, sorted by name. Entries that vanish meanwhile are neither file nor folder.
absl::StatusOr<std::vector<Entry>> ListFolder(int folder) {
  // fdopendir takes the descriptor over, so it gets one of its own; "." so that the position is its own, too.
  const int own = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* dir = own < 0 ? nullptr : fdopendir(own);
  if (dir == nullptr) return FileError(errno, "listing a folder");
  std::vector<Entry> entries;
  while (const dirent* raw = readdir(dir)) {
    const absl::string_view name = raw->d_name;
    if (name == "." || name == "..") continue;
    if (entries.size() >= kMaxEntries) break;
    entries.push_back(EntryOf(folder, *raw));
  }
  closedir(dir);
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; });
  return entries;
}

bool HasRegions(const std::vector<Entry>& entries) {
  return std::any_of(entries.begin(), entries.end(),
                     [](const Entry& entry) { return entry.is_file && IsRegionFileName(entry.name); });
}

absl::StatusOr<OwnedFd> OpenFolder(const RegionFolder& where) {
  ASSIGN_OR_RETURN(OwnedFd folder, OpenFolder(AT_FDCWD, where.root, 0));
  for (const std::string& name : where.below) {
    ASSIGN_OR_RETURN(folder, OpenFolder(folder.get(), name, O_NOFOLLOW));
  }
  return folder;
}

// True when the folder holds region files. What cannot be opened holds none.
bool HoldsRegions(const RegionFolder& where) {
  absl::StatusOr<OwnedFd> folder = OpenFolder(where);
  if (!folder.ok()) return false;
  const absl::StatusOr<std::vector<Entry>> entries = ListFolder(folder->get());
  return entries.ok() && HasRegions(*entries);
}

absl::Status NothingFound(const std::string& path, const std::vector<Entry>& entries) {
  const size_t files =
      std::count_if(entries.begin(), entries.end(), [](const Entry& e) { return e.is_file; });
  const size_t folders =
      std::count_if(entries.begin(), entries.end(), [](const Entry& e) { return e.is_folder; });
  return absl::NotFoundError(
      absl::StrCat(EscapeForTerminal(path),
                   ": no regions here. Looked for files named md_NAMEid.BIN (such as md_KELF1.BIN) in it, ",
                   "in the folders in it, and in a subfolder memory/ of those; found ", files,
                   " other files and ", folders, " folders"));
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
  if (std::optional<RegionFileName> hint = ParseRegionFileName(name)) {
    region.name = std::move(hint->name);
    region.id = hint->id;
  }
  return region;
}

// The address table, if the file is one. By name it is taken even when damaged: the server then says what is
// wrong.
std::optional<Region> OpenTable(int folder, const std::string& name) {
  absl::StatusOr<std::shared_ptr<const FileBytes>> bytes = FileBytes::OpenAt(folder, name);
  if (!bytes.ok() || (*bytes)->size() == 0 || (*bytes)->size() > kMaxTableBytes) return std::nullopt;
  if (!absl::EqualsIgnoreCase(name, kTableName)) {
    const absl::StatusOr<std::vector<uint8_t>> content = ReadBytes(**bytes, 0, (*bytes)->size());
    if (!content.ok() || !LooksLikeAddressTable(ByteView(*content))) return std::nullopt;
  }
  Region table;
  table.kind = RegionKind::kAddressTable;
  table.file_name = name;
  table.bytes = *std::move(bytes);
  return table;
}

// Takes what is to be taken of the folder. A file that is there and cannot be read fails the whole: a crash
// without it would be another crash, and the next try may get it all.
absl::Status TakeEntries(int folder, const std::vector<Entry>& entries, FoundCrash* crash) {
  int probes = 0;
  for (const Entry& entry : entries) {
    const bool named_region = IsRegionFileName(entry.name);
    if (named_region && !entry.is_file) {
      crash->skipped.push_back(absl::StrCat(EscapeForTerminal(entry.name), ": is no regular file"));
    } else if (named_region) {
      if (crash->regions.regions.size() >= kMaxRegions) {
        return absl::InvalidArgumentError(absl::StrCat("more than ", kMaxRegions, " region files"));
      }
      ASSIGN_OR_RETURN(Region region, OpenRegion(folder, entry.name));
      crash->regions.regions.push_back(std::move(region));
    } else if (entry.is_file && ++probes <= kMaxTableProbes) {
      std::optional<Region> table = OpenTable(folder, entry.name);
      if (table) crash->regions.regions.push_back(*std::move(table));
    }
  }
  return absl::OkStatus();
}

}  // namespace

bool IsRegionFileName(absl::string_view name) {
  return name.size() > 7 && name.size() <= kMaxNameBytes && absl::StartsWithIgnoreCase(name, "md_") &&
         absl::EndsWithIgnoreCase(name, ".bin");
}

std::string RegionFolder::path() const {
  std::string path = root;
  for (const std::string& name : below) absl::StrAppend(&path, absl::EndsWith(path, "/") ? "" : "/", name);
  return path;
}

absl::StatusOr<std::vector<RegionFolder>> FindRegionFolders(const std::string& path) {
  ASSIGN_OR_RETURN(const OwnedFd folder, OpenFolder(AT_FDCWD, path, 0));
  ASSIGN_OR_RETURN(const std::vector<Entry> entries, ListFolder(folder.get()));
  std::vector<RegionFolder> found;
  if (HasRegions(entries)) found.push_back({.root = path});
  for (const Entry& entry : entries) {
    if (!entry.is_folder) continue;
    RegionFolder child{.root = path, .below = {entry.name}};
    if (HoldsRegions(child)) found.push_back(child);
    child.below.push_back(std::string(kEdlFolder));
    if (HoldsRegions(child)) found.push_back(child);
  }
  if (found.empty()) return NothingFound(path, entries);
  return found;
}

absl::StatusOr<FoundCrash> OpenRegionFolder(const RegionFolder& where) {
  const std::string path = where.path();
  ASSIGN_OR_RETURN(const OwnedFd folder, OpenFolder(where));
  ASSIGN_OR_RETURN(const std::vector<Entry> entries, ListFolder(folder.get()));
  if (!HasRegions(entries)) return NothingFound(path, entries);
  FoundCrash crash;
  crash.path = path;
  if (absl::Status status = TakeEntries(folder.get(), entries, &crash); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat(EscapeForTerminal(path), ": ", status.message()));
  }
  return crash;
}

absl::StatusOr<std::string> DescribeContents(const RegionFolder& where) {
  ASSIGN_OR_RETURN(const OwnedFd folder, OpenFolder(where));
  ASSIGN_OR_RETURN(const std::vector<Entry> entries, ListFolder(folder.get()));
  std::string contents;
  for (const Entry& entry : entries) {
    if (entry.is_file) absl::StrAppend(&contents, entry.name, "/", entry.version, "\n");
  }
  return contents;
}

std::vector<std::string> FoldersBelow(const std::string& path) {
  std::vector<std::string> below;
  const absl::StatusOr<OwnedFd> folder = OpenFolder(AT_FDCWD, path, 0);
  if (!folder.ok()) return below;
  const absl::StatusOr<std::vector<Entry>> entries = ListFolder(folder->get());
  if (!entries.ok()) return below;
  for (const Entry& entry : *entries) {
    if (!entry.is_folder) continue;
    RegionFolder child{.root = path, .below = {entry.name}};
    below.push_back(child.path());
    child.below.push_back(std::string(kEdlFolder));
    if (OpenFolder(child).ok()) below.push_back(child.path());
  }
  return below;
}

void AllowManyOpenFiles() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

absl::Status RegionFolderSource::Drain(CrashSink& sink) {
  absl::Status first;
  for (const std::string& path : paths_) {
    const absl::StatusOr<std::vector<RegionFolder>> folders = FindRegionFolders(path);
    first.Update(folders.status());
    if (!folders.ok()) continue;
    for (const RegionFolder& folder : *folders) {
      const absl::StatusOr<FoundCrash> crash = OpenRegionFolder(folder);
      first.Update(crash.ok() ? sink.Accept(*crash) : crash.status());
    }
  }
  return first;
}

}  // namespace corefleet

#include "collector/source/devcoredump.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "base/status_macros.h"
#include "collector/source/captured_bytes.h"
#include "collector/source/located_files.h"

namespace corefleet {
namespace {

constexpr absl::string_view kPrefix = "devcd";
constexpr absl::string_view kData = "data";
// Modems leave a few hundred MiB.
constexpr uint64_t kMaxDumpBytes = uint64_t{2} << 30;

bool IsDumpName(absl::string_view name) {
  return name.size() > kPrefix.size() && absl::StartsWith(name, kPrefix) &&
         std::all_of(name.begin() + kPrefix.size(), name.end(), absl::ascii_isdigit);
}

bool IsInSysfs(int fd) {
  struct statfs info;
  return fstatfs(fd, &info) == 0 && static_cast<unsigned long>(info.f_type) == SYSFS_MAGIC;
}

// The folder of one dump. In sysfs a class's entries are links, and who made them is the kernel.
absl::StatusOr<OwnedFd> OpenDump(const CrashLocation& where) {
  CrashLocation parent = where;
  if (parent.below.empty()) {
    OwnedFd itself(open(where.root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!itself.valid()) return FileError(errno, where.root);
    return itself;
  }
  const std::string name = parent.below.back();
  parent.below.pop_back();
  ASSIGN_OR_RETURN(const Folder folder, Folder::Open(parent.root, parent.below));
  const int follow = folder.IsOn(SYSFS_MAGIC) ? 0 : O_NOFOLLOW;
  OwnedFd dump(openat(folder.fd(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | follow));
  if (!dump.valid()) return FileError(errno, name);
  return dump;
}

std::string LastName(const Folder& folder) {
  if (!folder.below().empty()) return folder.below().back();
  const std::string path(folder.root().substr(0, folder.root().find_last_not_of('/') + 1));
  return path.substr(path.find_last_of('/') + 1);
}

}  // namespace

std::vector<CrashLocation> DevcoredumpAdapter::FindIn(Folder* folder) const {
  std::vector<CrashLocation> found;
  const bool kernels_own = folder->IsOn(SYSFS_MAGIC);
  for (size_t i = 0; i < folder->entries().size(); ++i) {
    const FolderEntry& entry = folder->entries()[i];
    if (entry.name == kData && entry.is_file && !folder->claimed(i) && IsDumpName(LastName(*folder))) {
      folder->Claim(i);
      found.push_back(LocationIn(*folder, this, {entry.name}));
    } else if (kernels_own && entry.is_link && IsDumpName(entry.name)) {
      // Folders that are no links are looked into like all others.
      CrashLocation dump = LocationIn(*folder, this, {std::string(kData)});
      dump.below.push_back(entry.name);
      found.push_back(std::move(dump));
    }
  }
  return found;
}

absl::StatusOr<FoundCrash> DevcoredumpAdapter::Open(const CrashLocation& where) const {
  ASSIGN_OR_RETURN(const OwnedFd dump, OpenDump(where));
  FoundCrash crash{.path = where.path()};
  ASSIGN_OR_RETURN(auto bytes, CaptureAt(dump.get(), std::string(kData), kMaxDumpBytes));
  crash.regions.regions.push_back(ArtifactOf(std::string(kData), std::move(bytes)));
  return crash;
}

absl::Status DevcoredumpAdapter::Release(const CrashLocation& where) const {
  ASSIGN_OR_RETURN(const OwnedFd dump, OpenDump(where));
  if (!IsInSysfs(dump.get())) return absl::OkStatus();
  const OwnedFd data(openat(dump.get(), std::string(kData).c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
  // Gone is what it should be.
  if (!data.valid()) return errno == ENOENT ? absl::OkStatus() : FileError(errno, where.path());
  return write(data.get(), "0", 1) == 1 ? absl::OkStatus() : FileError(errno, where.path());
}

}  // namespace corefleet

#include "collector/source/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "core/bytes/escape.h"
#include "core/unpack/recognise.h"

namespace corefleet {
namespace {

// Files of one folder that are looked into.
constexpr int kMaxLooks = 1024;

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

FolderEntry EntryOf(int folder, const dirent& raw) {
  FolderEntry entry{.name = raw.d_name};
  struct stat info;
  if (fstatat(folder, raw.d_name, &info, AT_SYMLINK_NOFOLLOW) == 0) {
    entry.is_file = S_ISREG(info.st_mode);
    entry.is_folder = S_ISDIR(info.st_mode);
    entry.is_link = S_ISLNK(info.st_mode);
    entry.size = static_cast<uint64_t>(std::max<off_t>(info.st_size, 0));
    entry.seconds = info.st_mtim.tv_sec;
    entry.version = VersionOf(info);
  }
  return entry;
}

}  // namespace

absl::StatusOr<Folder> Folder::Open(const std::string& root, const std::vector<std::string>& below) {
  ASSIGN_OR_RETURN(OwnedFd fd, OpenFolder(AT_FDCWD, root, 0));
  for (const std::string& name : below) {
    ASSIGN_OR_RETURN(fd, OpenFolder(fd.get(), name, O_NOFOLLOW));
  }
  Folder folder(std::move(fd), root, below);
  RETURN_IF_ERROR(folder.List());
  return folder;
}

absl::Status Folder::List() {
  // fdopendir takes the descriptor over, so it gets one of its own; "." so that the position is its own, too.
  const int own = openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* dir = own < 0 ? nullptr : fdopendir(own);
  if (dir == nullptr) return FileError(errno, "listing a folder");
  while (const dirent* raw = readdir(dir)) {
    const absl::string_view name = raw->d_name;
    if (name == "." || name == "..") continue;
    cut_ = entries_.size() >= kMaxEntries;
    if (cut_) break;
    entries_.push_back(EntryOf(fd_.get(), *raw));
  }
  closedir(dir);
  std::sort(entries_.begin(), entries_.end(),
            [](const FolderEntry& a, const FolderEntry& b) { return a.name < b.name; });
  formats_.resize(entries_.size());
  claimed_.resize(entries_.size());
  return absl::OkStatus();
}

Format Folder::FormatOf(size_t entry) {
  std::optional<Format>& format = formats_[entry];
  if (format) return *format;
  format = Format::kUnknown;
  // What /proc and /sys show is no crash, and reading it can have an effect of its own.
  if (IsOn(PROC_SUPER_MAGIC) || IsOn(SYSFS_MAGIC)) return *format;
  if (!entries_[entry].is_file || ++looks_ > kMaxLooks) return *format;
  const std::string& name = entries_[entry].name;
  const absl::StatusOr<std::shared_ptr<const FileBytes>> bytes = FileBytes::OpenAt(fd_.get(), name);
  if (!bytes.ok() || (*bytes)->size() == 0) return *format;
  const std::vector<uint8_t> head = HeadOf(**bytes);
  format = Recognise(name, head, (*bytes)->size());
  return *format;
}

bool Folder::IsOn(long file_system) const {
  struct statfs info;
  return fstatfs(fd_.get(), &info) == 0 && static_cast<long>(info.f_type) == file_system;
}

std::vector<uint8_t> HeadOf(const ByteSource& bytes) {
  absl::StatusOr<std::vector<uint8_t>> head =
      ReadBytes(bytes, 0, std::min<uint64_t>(bytes.size(), kArtifactHeadBytes));
  return head.ok() ? *std::move(head) : std::vector<uint8_t>();
}

}  // namespace corefleet

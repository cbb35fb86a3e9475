#include "collector/source/file_bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/bytes/escape.h"

namespace corefleet {
namespace {

absl::Status WrongKind(const std::string& path, absl::string_view what) {
  return absl::FailedPreconditionError(absl::StrCat(EscapeForTerminal(path), ": ", what));
}

// OK for what may be opened without doing anything to anybody.
absl::Status CheckKind(const std::string& path, mode_t mode) {
  if (S_ISREG(mode) || S_ISBLK(mode) || S_ISCHR(mode)) return absl::OkStatus();
  if (S_ISDIR(mode)) return WrongKind(path, "is a folder");
  if (S_ISFIFO(mode)) return WrongKind(path, "is a pipe; write what comes out of it to a file first");
  return WrongKind(path, "is no file");
}

}  // namespace

OwnedFd::~OwnedFd() {
  if (fd_ >= 0) close(fd_);
}

OwnedFd& OwnedFd::operator=(OwnedFd&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

absl::Status FileError(int error, absl::string_view what) {
  const std::string message = absl::StrCat(EscapeForTerminal(what), ": ", strerror(error));
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(message);
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(message);
    case EMFILE:
    case ENFILE:
      return absl::ResourceExhaustedError(message);
    case ELOOP:  // O_NOFOLLOW met a symbolic link.
      return absl::FailedPreconditionError(absl::StrCat(EscapeForTerminal(what), ": is a symbolic link"));
    default:
      return absl::UnavailableError(message);
  }
}

absl::StatusOr<OwnedFd> OpenRegularAt(int folder, const std::string& name) {
  // Looked at before it is opened: opening a device can have an effect of its own.
  struct stat before;
  if (fstatat(folder, name.c_str(), &before, AT_SYMLINK_NOFOLLOW) != 0) return FileError(errno, name);
  if (!S_ISREG(before.st_mode)) return WrongKind(name, "is no regular file");
  OwnedFd fd(openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd.valid()) return FileError(errno, name);
  struct stat opened;
  if (fstat(fd.get(), &opened) != 0) return FileError(errno, name);
  if (!S_ISREG(opened.st_mode)) return WrongKind(name, "is no regular file");  // Swapped between the looks.
  return fd;
}

absl::StatusOr<std::shared_ptr<const FileBytes>> FileBytes::OpenAt(int folder, const std::string& name) {
  absl::StatusOr<OwnedFd> fd = OpenRegularAt(folder, name);
  if (!fd.ok()) return fd.status();
  struct stat info;
  if (fstat(fd->get(), &info) != 0) return FileError(errno, name);
  return std::make_shared<const FileBytes>(*std::move(fd), static_cast<uint64_t>(info.st_size));
}

std::string VersionOf(const struct stat& info) {
  return absl::StrCat(info.st_ino, " ", info.st_size, " ", info.st_mtim.tv_sec, ".", info.st_mtim.tv_nsec);
}

absl::StatusOr<NamedFile> OpenNamedFile(const std::string& path) {
  // Looked at before it is opened: opening a FIFO waits for its writer.
  struct stat before, opened;
  if (stat(path.c_str(), &before) != 0) return FileError(errno, path);
  if (absl::Status status = CheckKind(path, before.st_mode); !status.ok()) return status;
  OwnedFd fd(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd.valid() || fstat(fd.get(), &opened) != 0) return FileError(errno, path);
  if ((opened.st_mode & S_IFMT) != (before.st_mode & S_IFMT)) return WrongKind(path, "changed its kind");
  NamedFile file{.name = path.substr(path.find_last_of('/') + 1), .version = VersionOf(opened)};
  off_t size = opened.st_size;
  file.is_device = !S_ISREG(opened.st_mode);
  if (file.is_device) {
    size = lseek(fd.get(), 0, SEEK_END);
    if (size <= 0) return WrongKind(path, "is a device that does not say how large it is; copy it to a file");
    absl::StrAppend(&file.version, " ", size);
  }
  file.bytes = std::make_shared<const FileBytes>(std::move(fd), static_cast<uint64_t>(size));
  return file;
}

absl::Status FileBytes::ReadAt(uint64_t offset, absl::Span<uint8_t> out) const {
  if (absl::Status status = CheckRange(offset, out.size(), size_); !status.ok()) return status;
  while (!out.empty()) {
    const ssize_t got = pread(fd_.get(), out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError(errno, "reading a region's file");
    if (got == 0) return absl::UnavailableError("a region's file shrank while it was read");
    out.remove_prefix(static_cast<size_t>(got));
    offset += static_cast<uint64_t>(got);
  }
  return absl::OkStatus();
}

}  // namespace corefleet

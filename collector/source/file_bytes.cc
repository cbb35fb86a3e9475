#include "collector/source/file_bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/bytes/escape.h"

namespace corefleet {

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

absl::StatusOr<std::shared_ptr<const FileBytes>> FileBytes::OpenAt(int folder, const std::string& name) {
  // Looked at before it is opened: opening a device can have an effect of its own.
  struct stat before;
  if (fstatat(folder, name.c_str(), &before, AT_SYMLINK_NOFOLLOW) != 0) return FileError(errno, name);
  if (!S_ISREG(before.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(EscapeForTerminal(name), ": is no regular file"));
  }
  OwnedFd fd(openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd.valid()) return FileError(errno, name);
  struct stat opened;
  if (fstat(fd.get(), &opened) != 0) return FileError(errno, name);
  if (!S_ISREG(opened.st_mode)) {  // Swapped between the two looks.
    return absl::FailedPreconditionError(absl::StrCat(EscapeForTerminal(name), ": is no regular file"));
  }
  return std::make_shared<const FileBytes>(std::move(fd), static_cast<uint64_t>(opened.st_size));
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

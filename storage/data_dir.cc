#include "storage/data_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace corefleet {
namespace {

absl::Status Failed(absl::string_view what, const std::string& path) {
  return absl::InternalError(absl::StrCat("cannot ", what, " ", path, ": ", std::strerror(errno)));
}

// Makes `path` and its parents. Parents that are made belong to nobody else's business either, so they get
// the mode too.
absl::Status MakeDirectories(const std::string& path, mode_t mode) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    struct stat info;
    if (::stat(part.c_str(), &info) != 0 && ::mkdir(part.c_str(), mode) != 0 && errno != EEXIST) {
      return Failed("make the directory", part);
    }
    if (end == std::string::npos) return absl::OkStatus();
  }
}

absl::Status CheckDirectory(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return Failed("look at", path);
  if (!S_ISDIR(info.st_mode)) return absl::InvalidArgumentError(absl::StrCat(path, " is not a directory"));
  return absl::OkStatus();
}

std::string ReadHolder(int fd) {
  char text[32] = {};
  const ssize_t size = ::pread(fd, text, sizeof text - 1, 0);
  const std::string holder = size > 0 ? std::string(text, static_cast<size_t>(size)) : "";
  return std::string(absl::StripAsciiWhitespace(holder));
}

absl::Status TakeLock(int fd, const std::string& path) {
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Failed("lock", path);
    const std::string holder = ReadHolder(fd);
    return absl::FailedPreconditionError(absl::StrCat("another server (process ",
                                                      holder.empty() ? "?" : holder,
                                                      ") uses this data directory: it holds ", path));
  }
  const std::string pid = absl::StrCat(::getpid(), "\n");
  if (::ftruncate(fd, 0) != 0 ||
      ::pwrite(fd, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return Failed("write", path);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<DataDirLock>> DataDirLock::Acquire(const std::string& path) {
  if (path.empty()) return absl::InvalidArgumentError("the data directory has no name");
  if (absl::Status status = MakeDirectories(path, 0711); !status.ok()) return status;
  if (absl::Status status = CheckDirectory(path); !status.ok()) return status;
  const std::string lock = absl::StrCat(path, "/lock");
  const int fd = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return Failed("open", lock);
  if (absl::Status status = TakeLock(fd, lock); !status.ok()) {
    ::close(fd);
    return status;
  }
  return std::unique_ptr<DataDirLock>(new DataDirLock(path, fd));
}

DataDirLock::~DataDirLock() { ::close(fd_); }

absl::StatusOr<std::string> DataDirLock::Subdirectory(absl::string_view name) const {
  std::string path = absl::StrCat(path_, "/", name);
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return Failed("make the directory", path);
  if (absl::Status status = CheckDirectory(path); !status.ok()) return absl::InternalError(status.message());
  return path;
}

}  // namespace corefleet

#include "core/kdump/reader/scratch_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace corefleet {
namespace {

constexpr uint64_t kBufferBytes = 1 << 20;

absl::Status CannotWrite(const std::string& folder, int error) {
  const std::string words = absl::StrCat("cannot write a dump into ", folder, ": ", strerror(error));
  return error == ENOSPC || error == EDQUOT || error == EFBIG ? absl::ResourceExhaustedError(words)
                                                              : absl::UnavailableError(words);
}

// Not every file system can make a file without a name; then it has one for a moment.
absl::StatusOr<ReaderFd> CreateNameless(const std::string& folder) {
  const int fd = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) return ReaderFd(fd);
  if (errno != EOPNOTSUPP && errno != EISDIR) return CannotWrite(folder, errno);
  std::string name = absl::StrCat(folder, "/corefleet-dump-XXXXXX");
  const int named = mkostemp(name.data(), O_CLOEXEC);
  if (named < 0) return CannotWrite(folder, errno);
  unlink(name.c_str());
  return ReaderFd(named);
}

absl::Status CheckRoom(const std::string& folder, uint64_t size, uint64_t min_free) {
  struct statvfs info;
  if (statvfs(folder.c_str(), &info) != 0) return CannotWrite(folder, errno);
  const uint64_t free = uint64_t{info.f_bavail} * info.f_frsize;
  if (free >= min_free && free - min_free >= size) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("a dump of ", size, " bytes does not fit into ", folder,
                                                   ", where ", free, " are free and ", min_free,
                                                   " must stay so"));
}

absl::Status WriteAll(int fd, absl::Span<const uint8_t> bytes, const std::string& folder) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return CannotWrite(folder, n < 0 ? errno : EIO);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

}  // namespace

ReaderFd::~ReaderFd() {
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<ReaderFd> CopyToScratch(const ByteSource& bytes, const std::string& folder,
                                       uint64_t min_free) {
  RETURN_IF_ERROR(CheckRoom(folder, bytes.size(), min_free));
  ASSIGN_OR_RETURN(const ReaderFd file, CreateNameless(folder));
  std::vector<uint8_t> buffer(std::min(bytes.size(), kBufferBytes));
  for (uint64_t at = 0; at < bytes.size(); at += buffer.size()) {
    const auto part = absl::MakeSpan(buffer).first(std::min<uint64_t>(buffer.size(), bytes.size() - at));
    RETURN_IF_ERROR(bytes.ReadAt(at, part));
    RETURN_IF_ERROR(WriteAll(file.get(), part, folder));
  }
  const int read_only = open(absl::StrCat("/proc/self/fd/", file.get()).c_str(), O_RDONLY | O_CLOEXEC);
  if (read_only < 0) return CannotWrite(folder, errno);
  return ReaderFd(read_only);
}

}  // namespace corefleet

#include "cli/part_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/source/file_bytes.h"

namespace corefleet {

absl::StatusOr<PartFile> PartFile::Open(const std::string& target, const std::string& key) {
  const std::string path = absl::StrCat(target, ".", key, ".part");
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (fd < 0) return FileError(errno, path);
  struct stat info;
  if (flock(fd, LOCK_EX | LOCK_NB) != 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(fd);
    return absl::AlreadyExistsError(absl::StrCat(path, " is in use: another fetch of the same is under way"));
  }
  return PartFile(target, path, fd, static_cast<uint64_t>(info.st_size));
}

PartFile::PartFile(PartFile&& other) noexcept
    : target_(std::move(other.target_)),
      path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      size_(other.size_) {}

PartFile::~PartFile() {
  if (fd_ < 0) return;
  // An empty one is of no use to a later try.
  if (size_ == 0) unlink(path_.c_str());
  close(fd_);
}

absl::Status PartFile::Truncate(uint64_t size) {
  if (ftruncate(fd_, static_cast<off_t>(size)) != 0) return FileError(errno, path_);
  size_ = size;
  return absl::OkStatus();
}

absl::Status PartFile::Append(ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(size_));
    if (written < 0 && errno == EINTR) continue;
    // A full disk is nobody's unavailability: trying again at once does not help.
    if (written < 0) return absl::ResourceExhaustedError(FileError(errno, path_).message());
    bytes.remove_prefix(static_cast<size_t>(written));
    size_ += static_cast<uint64_t>(written);
  }
  return absl::OkStatus();
}

absl::Status PartFile::Commit() {
  if (fsync(fd_) != 0 || rename(path_.c_str(), target_.c_str()) != 0) {
    return absl::ResourceExhaustedError(FileError(errno, target_).message());
  }
  close(std::exchange(fd_, -1));
  return absl::OkStatus();
}

bool PartFile::EqualsTarget() const {
  const OwnedFd other(open(target_.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info;
  if (!other.valid() || fstat(other.get(), &info) != 0 || static_cast<uint64_t>(info.st_size) != size_)
    return false;
  std::vector<char> ours(1 << 16), theirs(1 << 16);
  for (uint64_t at = 0; at < size_; at += ours.size()) {
    const size_t want = std::min<uint64_t>(ours.size(), size_ - at);
    if (pread(fd_, ours.data(), want, static_cast<off_t>(at)) != static_cast<ssize_t>(want)) return false;
    if (pread(other.get(), theirs.data(), want, static_cast<off_t>(at)) != static_cast<ssize_t>(want))
      return false;
    if (!std::equal(ours.begin(), ours.begin() + static_cast<ptrdiff_t>(want), theirs.begin())) return false;
  }
  return true;
}

void PartFile::Discard() {
  unlink(path_.c_str());
  close(std::exchange(fd_, -1));
}

}  // namespace corefleet

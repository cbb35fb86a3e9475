#ifndef COREFLEET_CORE_KDUMP_READER_SCRATCH_FILE_H_
#define COREFLEET_CORE_KDUMP_READER_SCRATCH_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "core/bytes/byte_source.h"

namespace corefleet {

// A file descriptor, closed at the end.
class ReaderFd {
 public:
  explicit ReaderFd(int fd) : fd_(fd) {}
  ReaderFd(ReaderFd&& other) noexcept : fd_(other.Release()) {}
  ReaderFd& operator=(ReaderFd&&) = delete;
  ~ReaderFd();

  int get() const { return fd_; }
  int Release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }

 private:
  int fd_;
};

// Copies `bytes` into a file of `folder` that has no name, so that it is gone with its last descriptor
// whatever happens, and gives it opened for reading only. Memory: one buffer of 1 MiB.
//   RESOURCE_EXHAUSTED  it would leave less than `min_free` bytes on the folder's file system, or has no room
//   UNAVAILABLE         the folder cannot be written
//   other codes         ReadAt's
absl::StatusOr<ReaderFd> CopyToScratch(const ByteSource& bytes, const std::string& folder, uint64_t min_free);

}  // namespace corefleet

#endif  // COREFLEET_CORE_KDUMP_READER_SCRATCH_FILE_H_

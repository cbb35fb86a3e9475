#ifndef COREFLEET_COLLECTOR_SOURCE_FILE_BYTES_H_
#define COREFLEET_COLLECTOR_SOURCE_FILE_BYTES_H_

#include <sys/stat.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/bytes/byte_source.h"

namespace corefleet {

// A file descriptor that is closed when its owner goes. Move-only.
class OwnedFd {
 public:
  explicit OwnedFd(int fd = -1) : fd_(fd) {}
  ~OwnedFd();
  OwnedFd(OwnedFd&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  OwnedFd& operator=(OwnedFd&& other) noexcept;
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_;
};

// The bytes of a regular file or a device, read on demand; the file may be deleted meanwhile. Its size is
// what it was when it was opened: what is appended later is not seen, and when it shrinks, reads of what is
// gone fail with UNAVAILABLE.
class FileBytes final : public ByteSource {
 public:
  // Opens `name`, one component without slashes, in the folder behind `folder`. Never follows a symbolic link
  // and never blocks on or touches a device, FIFO or socket.
  //   NOT_FOUND            it is gone
  //   FAILED_PRECONDITION  it is no regular file
  //   PERMISSION_DENIED, RESOURCE_EXHAUSTED (too many open files), UNAVAILABLE (any other reason)
  static absl::StatusOr<std::shared_ptr<const FileBytes>> OpenAt(int folder, const std::string& name);

  FileBytes(OwnedFd fd, uint64_t size) : fd_(std::move(fd)), size_(size) {}
  uint64_t size() const override { return size_; }
  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override;

 private:
  OwnedFd fd_;
  uint64_t size_;
};

// Opens `name`, one component without slashes, in the folder behind `folder`; codes as FileBytes::OpenAt's.
absl::StatusOr<OwnedFd> OpenRegularAt(int folder, const std::string& name);

// A file or device that the operator named.
struct NamedFile {
  std::string name;  // its own, without the folder
  std::shared_ptr<const ByteSource> bytes;
  std::string version;  // changes when a regular file does
  bool is_device = false;
};

// Opens what the operator named, following links: a regular file, or a block or character device that says
// how large it is. Never blocks.
//   NOT_FOUND            there is nothing of that name
//   FAILED_PRECONDITION  it is a folder, a pipe, a socket, or a device without a size
//   PERMISSION_DENIED, RESOURCE_EXHAUSTED, UNAVAILABLE  as the system said
absl::StatusOr<NamedFile> OpenNamedFile(const std::string& path);

// Identity, size and time of a file as text: two equal ones mean that nothing changed in between.
std::string VersionOf(const struct stat& info);

// The status that says what `error`, an errno, means for `what`.
absl::Status FileError(int error, absl::string_view what);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SOURCE_FILE_BYTES_H_

#include "collector/source/captured_bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "collector/source/file_bytes.h"
#include "core/bytes/escape.h"

namespace corefleet {
namespace {

constexpr size_t kMemoryBytes = 1 << 20;
constexpr size_t kReadBytes = 64 * 1024;

// A file without a name, gone when it is closed.
absl::StatusOr<OwnedFd> UnnamedFile() {
  const char* folder = std::getenv("TMPDIR");
  if (folder == nullptr || *folder == '\0') folder = "/var/tmp";
  OwnedFd fd(open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (fd.valid()) return fd;
  // Not every file system can make one.
  std::string name = absl::StrCat(folder, "/corefleet.XXXXXX");
  OwnedFd named(mkostemp(name.data(), O_CLOEXEC));
  if (!named.valid()) return FileError(errno, folder);
  unlink(name.c_str());
  return named;
}

absl::Status WriteAll(int fd, absl::Span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return absl::ResourceExhaustedError("no room for a temporary copy (see TMPDIR)");
    bytes.remove_prefix(static_cast<size_t>(put));
  }
  return absl::OkStatus();
}

// Reads `fd` to its end, some at a time.
class Capture {
 public:
  Capture(int fd, uint64_t limit) : fd_(fd), limit_(limit) {}

  absl::StatusOr<std::shared_ptr<const ByteSource>> ToTheEnd() {
    std::vector<uint8_t> buffer(kReadBytes);
    for (;;) {
      const ssize_t got = read(fd_, buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return FileError(errno, "reading it");
      if (got == 0) break;
      RETURN_IF_ERROR(Take(absl::MakeConstSpan(buffer.data(), static_cast<size_t>(got))));
    }
    if (spilled_.valid()) return std::make_shared<const FileBytes>(std::move(spilled_), size_);
    return std::make_shared<const MemorySource>(std::move(memory_));
  }

 private:
  absl::Status Take(absl::Span<const uint8_t> bytes) {
    size_ += bytes.size();
    if (size_ > limit_) return absl::InvalidArgumentError(absl::StrCat("more than ", limit_, " bytes"));
    if (!spilled_.valid() && size_ > kMemoryBytes) {
      ASSIGN_OR_RETURN(spilled_, UnnamedFile());
      RETURN_IF_ERROR(WriteAll(spilled_.get(), memory_));
      memory_ = {};
    }
    if (spilled_.valid()) return WriteAll(spilled_.get(), bytes);
    memory_.insert(memory_.end(), bytes.begin(), bytes.end());
    return absl::OkStatus();
  }

  const int fd_;
  const uint64_t limit_;
  uint64_t size_ = 0;
  std::vector<uint8_t> memory_;
  OwnedFd spilled_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const ByteSource>> CaptureAt(int folder, const std::string& name,
                                                            uint64_t limit) {
  ASSIGN_OR_RETURN(const OwnedFd fd, OpenRegularAt(folder, name));
  absl::StatusOr<std::shared_ptr<const ByteSource>> bytes = Capture(fd.get(), limit).ToTheEnd();
  if (bytes.ok()) return bytes;
  return absl::Status(bytes.status().code(),
                      absl::StrCat(EscapeForTerminal(name), ": ", bytes.status().message()));
}

}  // namespace corefleet

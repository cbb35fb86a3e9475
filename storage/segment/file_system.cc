#include "storage/segment/file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"

namespace corefleet {
namespace {

absl::Status Failed(absl::string_view what, const std::string& path) {
  const int error = errno;
  const std::string message = absl::StrCat("cannot ", what, " ", path, ": ", std::strerror(error));
  if (error == ENOSPC || error == EDQUOT) return absl::ResourceExhaustedError(message);
  return absl::UnavailableError(message);
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

// What is left of `parts` behind its first `bytes` bytes; the part that they end in is cut.
absl::Span<iovec> Behind(absl::Span<iovec> parts, size_t bytes) {
  while (!parts.empty() && bytes >= parts.front().iov_len) {
    bytes -= parts.front().iov_len;
    parts.remove_prefix(1);
  }
  if (bytes > 0) {
    parts.front().iov_base = static_cast<uint8_t*>(parts.front().iov_base) + bytes;
    parts.front().iov_len -= bytes;
  }
  return parts;
}

class RealAppendFile final : public AppendFile {
 public:
  RealAppendFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  absl::Status Append(absl::Span<const ByteView> parts) override {
    std::vector<iovec> left;
    left.reserve(parts.size());
    for (const ByteView part : parts) {
      if (!part.empty()) left.push_back({const_cast<uint8_t*>(part.data()), part.size()});
    }
    for (absl::Span<iovec> rest = absl::MakeSpan(left); !rest.empty();) {
      const ssize_t written = ::writev(fd_.get(), rest.data(), std::min<int>(rest.size(), IOV_MAX));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return Failed("write", path_);
      rest = Behind(rest, static_cast<size_t>(written));
    }
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    if (::fdatasync(fd_.get()) != 0) return Failed("sync", path_);
    return absl::OkStatus();
  }

  void Truncate(uint64_t size) override {
    if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) return;  // the tail is dead either way
  }

 private:
  const Descriptor fd_;
  const std::string path_;
};

class RealReadFile final : public ReadFile {
 public:
  RealReadFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) override {
    while (!out.empty()) {
      const ssize_t got = ::pread(fd_.get(), out.data(), out.size(), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return absl::UnavailableError(Failed("read", path_).message());
      if (got == 0) return absl::DataLossError(absl::StrCat(path_, " ends at ", offset));
      offset += static_cast<uint64_t>(got);
      out.remove_prefix(static_cast<size_t>(got));
    }
    return absl::OkStatus();
  }

 private:
  const Descriptor fd_;
  const std::string path_;
};

class RealPatchFile final : public PatchFile {
 public:
  RealPatchFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  absl::Status WriteAt(uint64_t offset, ByteView bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return Failed("write", path_);
      offset += static_cast<uint64_t>(written);
      bytes.remove_prefix(static_cast<size_t>(written));
    }
    return absl::OkStatus();
  }

  absl::Status Punch(uint64_t offset, uint64_t size) override {
    const int how = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    while (size > 0 &&
           ::fallocate(fd_.get(), how, static_cast<off_t>(offset), static_cast<off_t>(size)) != 0) {
      if (errno == EINTR) continue;
      if (errno == EOPNOTSUPP || errno == ENOSYS)
        return absl::UnimplementedError("no holes on this file system");
      return absl::UnavailableError(Failed("punch a hole into", path_).message());
    }
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    if (::fdatasync(fd_.get()) != 0) return Failed("sync", path_);
    return absl::OkStatus();
  }

 private:
  const Descriptor fd_;
  const std::string path_;
};

FileSystem::Entry EntryOf(const std::string& name, const struct stat& info) {
  const auto size = static_cast<uint64_t>(info.st_size);
  return {.name = name,
          .size = size,
          .occupied = std::min<uint64_t>(size, static_cast<uint64_t>(info.st_blocks) * 512),
          .changed_at = absl::TimeFromTimespec(info.st_mtim)};
}

class RealFileSystem final : public FileSystem {
 public:
  absl::StatusOr<std::vector<Entry>> List(const std::string& dir) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> handle(::opendir(dir.c_str()), &::closedir);
    if (handle == nullptr) return absl::InternalError(Failed("list", dir).message());
    std::vector<Entry> entries;
    while (const dirent* entry = ::readdir(handle.get())) {
      struct stat info;
      if (::fstatat(::dirfd(handle.get()), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
      if (S_ISREG(info.st_mode)) entries.push_back(EntryOf(entry->d_name, info));
    }
    return entries;
  }

  absl::StatusOr<Entry> Find(const std::string& path) override {
    struct stat info;
    if (::lstat(path.c_str(), &info) != 0) {
      if (errno == ENOENT) return absl::NotFoundError(absl::StrCat("no file ", path));
      return absl::UnavailableError(Failed("look at", path).message());
    }
    if (!S_ISREG(info.st_mode)) return absl::NotFoundError(absl::StrCat(path, " is no plain file"));
    return EntryOf(path.substr(path.rfind('/') + 1), info);
  }

  absl::StatusOr<std::unique_ptr<AppendFile>> Create(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return Failed("create", path);
    return std::unique_ptr<AppendFile>(std::make_unique<RealAppendFile>(fd, path));
  }

  absl::StatusOr<std::unique_ptr<ReadFile>> OpenForReading(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT) return absl::NotFoundError(absl::StrCat("no file ", path));
    if (fd < 0) return absl::UnavailableError(Failed("open", path).message());
    return std::unique_ptr<ReadFile>(std::make_unique<RealReadFile>(fd, path));
  }

  absl::StatusOr<std::unique_ptr<PatchFile>> OpenForPatching(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT) return absl::NotFoundError(absl::StrCat("no file ", path));
    if (fd < 0) return absl::UnavailableError(Failed("open", path).message());
    return std::unique_ptr<PatchFile>(std::make_unique<RealPatchFile>(fd, path));
  }

  absl::Status SyncDirectory(const std::string& dir) override {
    const Descriptor fd(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.get() < 0 || ::fsync(fd.get()) != 0) return Failed("sync", dir);
    return absl::OkStatus();
  }

  void Remove(const std::string& path) override { ::unlink(path.c_str()); }

  void DropCache(const std::string& path) override {
    const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (fd.get() >= 0) ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
  }

  uint64_t FreeBytes(const std::string& dir) override {
    struct statvfs info;
    if (::statvfs(dir.c_str(), &info) != 0) return 0;
    return uint64_t{info.f_bavail} * info.f_frsize;
  }
};

}  // namespace

FileSystem* FileSystem::Real() {
  static RealFileSystem* const real = new RealFileSystem;
  return real;
}

}  // namespace corefleet

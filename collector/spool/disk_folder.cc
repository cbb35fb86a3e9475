#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "collector/source/file_bytes.h"
#include "collector/spool/spool_folder.h"

namespace corefleet {
namespace {

absl::Status Failed(absl::string_view what, const std::string& name) {
  const int error = errno;
  const std::string message = absl::StrCat("cannot ", what, " ", name, ": ", strerror(error));
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return absl::ResourceExhaustedError(message);
    case EROFS:
      return absl::FailedPreconditionError(message);
    case ENOENT:
      return absl::NotFoundError(message);
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(message);
    default:
      return absl::UnavailableError(message);
  }
}

class DiskFile final : public SpoolFile {
 public:
  DiskFile(OwnedFd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}

  absl::Status WriteAt(uint64_t offset, ByteView bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return Failed("write", name_);
      bytes.remove_prefix(static_cast<size_t>(written));
      offset += static_cast<uint64_t>(written);
    }
    return absl::OkStatus();
  }
  absl::Status Sync() override {
    return fdatasync(fd_.get()) == 0 ? absl::OkStatus() : Failed("sync", name_);
  }
  absl::Status Truncate(uint64_t size) override {
    return ftruncate(fd_.get(), static_cast<off_t>(size)) == 0 ? absl::OkStatus() : Failed("cut", name_);
  }

 private:
  const OwnedFd fd_;
  const std::string name_;
};

class DiskBytes final : public SpoolBytes {
 public:
  DiskBytes(OwnedFd fd, uint64_t size, std::string name)
      : fd_(std::move(fd)), size_(size), name_(std::move(name)) {}

  uint64_t size() const override { return size_; }
  int descriptor() const override { return fd_.get(); }
  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override {
    while (!out.empty()) {
      const ssize_t got = pread(fd_.get(), out.data(), out.size(), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      // A medium that cannot give what it was given: trying again gives nothing else.
      if (got < 0 && (errno == EIO || errno == EBADMSG || errno == EUCLEAN))
        return absl::DataLossError(Failed("read", name_).message());
      if (got < 0) return absl::UnavailableError(Failed("read", name_).message());
      if (got == 0) return absl::DataLossError(absl::StrCat(name_, " ends at ", offset));
      out.remove_prefix(static_cast<size_t>(got));
      offset += static_cast<uint64_t>(got);
    }
    return absl::OkStatus();
  }

 private:
  const OwnedFd fd_;
  const uint64_t size_;
  const std::string name_;
};

class DiskFolder final : public SpoolFolder {
 public:
  DiskFolder(OwnedFd fd, std::string path, bool writable)
      : fd_(std::move(fd)), path_(std::move(path)), writable_(writable) {}

  absl::StatusOr<std::vector<Listed>> List() override {
    // A descriptor of its own: fdopendir takes it, and its position.
    const int copy = openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* const folder = copy < 0 ? nullptr : fdopendir(copy);
    if (folder == nullptr) return absl::UnavailableError(Failed("list", path_).message());
    std::vector<Listed> listed;
    while (const dirent* entry = readdir(folder)) {
      struct stat info;
      if (fstatat(fd_.get(), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(info.st_mode))
        continue;
      listed.push_back({entry->d_name, static_cast<uint64_t>(info.st_size)});
    }
    closedir(folder);
    return listed;
  }

  absl::StatusOr<std::unique_ptr<SpoolFile>> Create(const std::string& name) override {
    return OpenToWrite(name, O_CREAT | O_EXCL);
  }
  absl::StatusOr<std::unique_ptr<SpoolFile>> Change(const std::string& name) override {
    return OpenToWrite(name, 0);
  }

  absl::StatusOr<std::unique_ptr<SpoolBytes>> Read(const std::string& name) override {
    OwnedFd fd(openat(fd_.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    struct stat info;
    if (!fd.valid() && errno == ENOENT) return Failed("open", name);
    if (!fd.valid() || fstat(fd.get(), &info) != 0)
      return absl::UnavailableError(Failed("open", name).message());
    return std::unique_ptr<SpoolBytes>(
        std::make_unique<DiskBytes>(std::move(fd), static_cast<uint64_t>(info.st_size), name));
  }

  absl::Status Rename(const std::string& from, const std::string& to) override {
    RETURN_IF_ERROR(Writable());
    return renameat(fd_.get(), from.c_str(), fd_.get(), to.c_str()) == 0 ? absl::OkStatus()
                                                                         : Failed("rename", from);
  }
  absl::Status Remove(const std::string& name) override {
    RETURN_IF_ERROR(Writable());
    if (unlinkat(fd_.get(), name.c_str(), 0) == 0 || errno == ENOENT) return absl::OkStatus();
    return Failed("remove", name);
  }
  absl::Status SyncNames() override {
    return fsync(fd_.get()) == 0 ? absl::OkStatus() : Failed("sync", path_);
  }

  absl::StatusOr<Room> FreeRoom() override {
    struct statvfs info;
    if (fstatvfs(fd_.get(), &info) != 0) return absl::UnavailableError(Failed("measure", path_).message());
    Room room{.free_bytes = uint64_t{info.f_bavail} * info.f_frsize, .free_inodes = info.f_favail};
    // btrfs and others make inodes as they need them, and say that they have none at all.
    if (info.f_files == 0) room.free_inodes = UINT64_MAX;
    return room;
  }

 private:
  absl::Status Writable() const {
    if (writable_) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat(path_, " was opened to be read only"));
  }
  absl::StatusOr<std::unique_ptr<SpoolFile>> OpenToWrite(const std::string& name, int flags) {
    RETURN_IF_ERROR(Writable());
    OwnedFd fd(openat(fd_.get(), name.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW | flags, 0600));
    if (!fd.valid()) return Failed("open", name);
    return std::unique_ptr<SpoolFile>(std::make_unique<DiskFile>(std::move(fd), name));
  }

  const OwnedFd fd_;
  const std::string path_;
  const bool writable_;
};

// Makes the folder and those above it; those that are there are left alone.
absl::Status MakeFolders(const std::string& path) {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (mkdir(part.c_str(), slash == std::string::npos ? 0700 : 0755) != 0 && errno != EEXIST &&
        errno != EROFS) {
      return Failed("make", part);
    }
    if (slash == std::string::npos) return absl::OkStatus();
  }
}

absl::StatusOr<OwnedFd> OpenFolder(const std::string& path) {
  OwnedFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return Failed("open", path);
  return fd;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SpoolFolder>> SpoolFolder::Open(const std::string& path) {
  RETURN_IF_ERROR(MakeFolders(path));
  ASSIGN_OR_RETURN(OwnedFd fd, OpenFolder(path));
  // On the folder itself: a lock file would need an inode, and room in a folder that may be read-only.
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK)
      return absl::UnavailableError(absl::StrCat(path, " is in use by another process"));
    return Failed("lock", path);
  }
  return std::unique_ptr<SpoolFolder>(std::make_unique<DiskFolder>(std::move(fd), path, /*writable=*/true));
}

absl::StatusOr<std::unique_ptr<SpoolFolder>> SpoolFolder::OpenShared(const std::string& path) {
  ASSIGN_OR_RETURN(OwnedFd fd, OpenFolder(path));
  return std::unique_ptr<SpoolFolder>(std::make_unique<DiskFolder>(std::move(fd), path, /*writable=*/true));
}

absl::StatusOr<std::unique_ptr<SpoolFolder>> SpoolFolder::OpenToRead(const std::string& path) {
  ASSIGN_OR_RETURN(OwnedFd fd, OpenFolder(path));
  return std::unique_ptr<SpoolFolder>(std::make_unique<DiskFolder>(std::move(fd), path, /*writable=*/false));
}

}  // namespace corefleet

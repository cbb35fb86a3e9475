#include "server/identity/file_reload.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/log.h"
#include "base/status_macros.h"

namespace corefleet {
namespace {

constexpr size_t kMaxBytes = 1 << 20;

absl::StatusOr<std::string> ReadAll(int fd, const std::string& path) {
  std::string text;
  char buffer[16 * 1024];
  while (true) {
    const ssize_t got = read(fd, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path));
    if (got == 0) return text;
    text.append(buffer, static_cast<size_t>(got));
    if (text.size() > kMaxBytes)
      return absl::InvalidArgumentError(absl::StrCat(path, " is larger than 1 MiB"));
  }
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
  auto text = ReadAll(fd, path);
  close(fd);
  return text;
}

}  // namespace

FileReload::~FileReload() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

std::vector<FileReload::Stamp> FileReload::StampsOf(const std::vector<std::string>& paths) {
  std::vector<Stamp> stamps(paths.size());
  for (size_t i = 0; i < paths.size(); ++i) {
    struct stat info;
    if (stat(paths[i].c_str(), &info) != 0) continue;
    stamps[i] = {.device = info.st_dev,
                 .inode = info.st_ino,
                 .size = info.st_size,
                 .changed_ns = info.st_ctim.tv_sec * int64_t{1'000'000'000} + info.st_ctim.tv_nsec};
  }
  return stamps;
}

absl::Status FileReload::Load(Watched* watched) {
  // Before they are read: a change in the meantime is seen at the next look.
  watched->stamps = StampsOf(watched->paths);
  std::vector<std::string> contents;
  for (const std::string& path : watched->paths) {
    ASSIGN_OR_RETURN(std::string text, ReadFile(path));
    contents.push_back(std::move(text));
  }
  const absl::Status status = watched->apply(std::move(contents));
  if (status.ok()) return status;
  return absl::Status(status.code(),
                      absl::StrCat(absl::StrJoin(watched->paths, ", "), ": ", status.message()));
}

absl::Status FileReload::Add(absl::string_view what, std::vector<std::string> paths, Apply apply) {
  Watched watched{.what = what, .paths = std::move(paths), .apply = std::move(apply)};
  RETURN_IF_ERROR(Load(&watched));
  absl::MutexLock lock(&looking_);
  watched_.push_back(std::move(watched));
  return absl::OkStatus();
}

void FileReload::Look() {
  absl::MutexLock lock(&looking_);
  for (Watched& watched : watched_) {
    if (StampsOf(watched.paths) == watched.stamps) continue;
    const absl::Status status = Load(&watched);
    metrics_->FilesReloaded(watched.what, status.ok());
    if (status.ok()) {
      Log(LogLevel::kInfo, "files reloaded", {{"what", std::string(watched.what)}});
    } else {
      Log(LogLevel::kError, "changed files make no sense; what was read before stays in force",
          {{"what", std::string(watched.what)}, {"why", std::string(status.message())}});
    }
  }
}

void FileReload::Start(absl::Duration every) {
  thread_ = std::thread([this, every] { Run(every); });
}

void FileReload::Run(absl::Duration every) {
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), every)) return;
    }
    Look();
  }
}

}  // namespace corefleet

#include "collector/spool/sent_crashes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace corefleet {
namespace {

// More than any device or lab host sees while it matters.
constexpr size_t kMaxEntries = 10000;

absl::Status SystemError(const std::string& what) {
  const std::string text = absl::StrCat(what, ": ", strerror(errno));
  return errno == EACCES || errno == EPERM ? absl::PermissionDeniedError(text) : absl::UnavailableError(text);
}

// Forgets the oldest half when there are too many.
void Prune(const std::string& folder) {
  std::vector<std::pair<std::filesystem::file_time_type, std::filesystem::path>> entries;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    entries.emplace_back(it->last_write_time(ignored), it->path());
  }
  if (entries.size() <= kMaxEntries) return;
  std::sort(entries.begin(), entries.end());
  for (size_t i = 0; i < entries.size() / 2; ++i) std::filesystem::remove(entries[i].second, error);
}

absl::Status WriteDurably(const std::string& path, const std::string& text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0) return SystemError(path);
  const bool written =
      write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(fd) == 0;
  const absl::Status status = written ? absl::OkStatus() : SystemError(path);
  close(fd);
  return status;
}

// Makes a rename in the folder survive a power cut.
absl::Status SyncFolder(const std::string& folder) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return SystemError(folder);
  const absl::Status status = fsync(fd) == 0 ? absl::OkStatus() : SystemError(folder);
  close(fd);
  return status;
}

}  // namespace

absl::StatusOr<SentCrashes> SentCrashes::Open(const std::string& folder, Journey journey) {
  if (!folder.empty()) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (access(folder.c_str(), R_OK | W_OK | X_OK) != 0) return SystemError(folder);
    Prune(folder);
  }
  return SentCrashes(folder, std::move(journey));
}

std::string SentCrashes::PathOf(const CrashUid& uid) const { return absl::StrCat(folder_, "/", uid.value()); }

std::string SentCrashes::Heading() const {
  return absl::StrCat("ingest=", journey_.ingest, "\ndevice=", journey_.device.value(), "\n");
}

bool SentCrashes::Has(const CrashUid& uid) const {
  if (folder_.empty()) return false;
  std::ifstream file(PathOf(uid), std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return absl::StartsWith(text, Heading());
}

absl::Status SentCrashes::Add(const CrashUid& uid, const std::string& crash) {
  if (folder_.empty()) return absl::OkStatus();
  const std::string path = PathOf(uid);
  const std::string fresh = absl::StrCat(path, ".new");
  if (absl::Status status = WriteDurably(fresh, absl::StrCat(Heading(), "crash=", crash, "\n")); !status.ok())
    return status;
  if (rename(fresh.c_str(), path.c_str()) != 0) return SystemError(path);
  return SyncFolder(folder_);
}

}  // namespace corefleet

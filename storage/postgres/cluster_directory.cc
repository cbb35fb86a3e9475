#include "storage/postgres/cluster_directory.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "storage/postgres/cluster_process.h"

namespace corefleet {
namespace {

namespace fs = std::filesystem;

constexpr char kInstalled[] = "/usr/lib/postgresql";
constexpr off_t kMaxLogBytes = 10 << 20;
constexpr off_t kEndOfLogBytes = 2000;
constexpr absl::Duration kPoll = absl::Milliseconds(20);

absl::Status Failed(absl::string_view what, const std::string& path) {
  return absl::InternalError(absl::StrCat("cannot ", what, " ", path, ": ", std::strerror(errno)));
}

bool HasPrograms(const std::string& bin_dir) {
  return ::access(absl::StrCat(bin_dir, "/postgres").c_str(), X_OK) == 0 &&
         ::access(absl::StrCat(bin_dir, "/initdb").c_str(), X_OK) == 0;
}

// The highest version installed; only `wanted` if it is not empty.
std::string NewestInstalled(const std::string& wanted) {
  std::string best;
  int best_version = 0;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(kInstalled, error)) {
    const std::string name = entry.path().filename().string();
    const std::string bin_dir = absl::StrCat(entry.path().string(), "/bin");
    int version = 0;
    if (!absl::SimpleAtoi(name, &version) || version <= best_version || !HasPrograms(bin_dir)) continue;
    if (!wanted.empty() && name != wanted) continue;
    best = bin_dir;
    best_version = version;
  }
  return best;
}

std::string OnPath() {
  const char* path = std::getenv("PATH");
  for (absl::string_view dir : absl::StrSplit(path == nullptr ? "" : path, ':')) {
    if (!dir.empty() && HasPrograms(std::string(dir))) return std::string(dir);
  }
  return "";
}

std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

absl::StatusOr<ClusterUser> LookUp(const passwd* entry, absl::string_view whom) {
  if (entry == nullptr) return absl::FailedPreconditionError(absl::StrCat("this system has no user ", whom));
  return ClusterUser{entry->pw_uid, entry->pw_gid, entry->pw_name};
}

absl::Status WriteFile(int dir, const char* name, const std::string& text, const ClusterUser& user) {
  const int fd = ::openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return Failed("write", name);
  const bool ok = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                  ::fchown(fd, user.uid, user.gid) == 0 && ::fsync(fd) == 0;
  const absl::Status status = ok ? absl::OkStatus() : Failed("write", name);
  ::close(fd);
  return status;
}

absl::StatusOr<int> OpenDirectory(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return Failed("open", path);
  return fd;
}

absl::Status SyncDirectory(const std::string& path) {
  ASSIGN_OR_RETURN(const int fd, OpenDirectory(path));
  const absl::Status status = ::fsync(fd) == 0 ? absl::OkStatus() : Failed("sync", path);
  ::close(fd);
  return status;
}

}  // namespace

absl::StatusOr<ClusterDirectory> ClusterDirectory::Open(const std::string& data_dir, const std::string& user,
                                                        const std::string& bin_dir) {
  ClusterDirectory directory;
  directory.data_dir_ = data_dir;
  RETURN_IF_ERROR(directory.ChooseUser(user));
  RETURN_IF_ERROR(directory.ChoosePrograms(bin_dir));
  RETURN_IF_ERROR(directory.OpenLog());
  struct stat info;
  if (::stat(directory.path().c_str(), &info) != 0) RETURN_IF_ERROR(directory.Make());
  ASSIGN_OR_RETURN(directory.fd_, OpenDirectory(directory.path()));
  return directory;
}

ClusterDirectory::~ClusterDirectory() {
  if (fd_ >= 0) ::close(fd_);
  if (log_fd_ >= 0) ::close(log_fd_);
}

ClusterDirectory::ClusterDirectory(ClusterDirectory&& other) noexcept
    : data_dir_(std::move(other.data_dir_)),
      user_(std::move(other.user_)),
      bin_dir_(std::move(other.bin_dir_)),
      fd_(std::exchange(other.fd_, -1)),
      log_fd_(std::exchange(other.log_fd_, -1)) {}

std::string ClusterDirectory::path() const { return absl::StrCat(data_dir_, "/postgres"); }

std::string ClusterDirectory::Program(const char* name) const { return absl::StrCat(bin_dir_, "/", name); }

absl::Status ClusterDirectory::ChooseUser(const std::string& wanted) {
  struct stat info;
  const bool made = ::stat(path().c_str(), &info) == 0;
  if (::geteuid() != 0) {
    if (made && info.st_uid != ::geteuid()) {
      return absl::FailedPreconditionError(
          absl::StrCat(path(), " belongs to another user: start as that one, or as root"));
    }
    ASSIGN_OR_RETURN(user_, LookUp(::getpwuid(::geteuid()), absl::StrCat(::geteuid())));
    return absl::OkStatus();
  }
  // PostgreSQL refuses root. What was made stays with whom it was made for.
  const passwd* entry = made ? ::getpwuid(info.st_uid) : ::getpwnam(wanted.c_str());
  if (!made && entry == nullptr) entry = ::getpwnam("nobody");
  ASSIGN_OR_RETURN(user_, LookUp(entry, wanted));
  if (user_.uid == 0) return absl::FailedPreconditionError("the database must not run as root");
  return absl::OkStatus();
}

absl::Status ClusterDirectory::ChoosePrograms(const std::string& bin_dir) {
  const std::string version = FirstLine(absl::StrCat(path(), "/PG_VERSION"));
  bin_dir_ = bin_dir;
  if (bin_dir_.empty()) bin_dir_ = NewestInstalled(version);
  if (bin_dir_.empty() && version.empty()) bin_dir_ = OnPath();
  if (!bin_dir_.empty() && HasPrograms(bin_dir_)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("no PostgreSQL server ", version,
                                                    version.empty() ? "" : " ", "is installed: looked in ",
                                                    kInstalled, " (on Debian: apt-get install postgresql)"));
}

absl::Status ClusterDirectory::OpenLog() {
  const std::string log = absl::StrCat(data_dir_, "/postgres.log");
  struct stat info;
  if (::stat(log.c_str(), &info) == 0 && info.st_size > kMaxLogBytes) {
    ::rename(log.c_str(), absl::StrCat(log, ".1").c_str());
  }
  log_fd_ = ::open(log.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
  if (log_fd_ < 0) return Failed("open", log);
  return absl::OkStatus();
}

// In a directory of another name, which only a finished cluster gives up: a kill in the middle leaves
// rubbish, not ruins.
absl::Status ClusterDirectory::Make() {
  const std::string fresh = absl::StrCat(path(), ".new");
  std::error_code error;
  fs::remove_all(fresh, error);
  if (::mkdir(fresh.c_str(), 0700) != 0) return Failed("make the directory", fresh);
  if (::chown(fresh.c_str(), user_.uid, user_.gid) != 0) return Failed("give away", fresh);
  ASSIGN_OR_RETURN(const int fd, OpenDirectory(fresh));
  absl::Status status = RunInitdb(*this, fd);
  if (status.ok()) status = WriteAccessRules(fd);
  if (status.ok() && ::fsync(fd) != 0) status = Failed("sync", fresh);
  ::close(fd);
  if (!status.ok()) return absl::InternalError(absl::StrCat(status.message(), "\n", EndOfLog()));
  if (::rename(fresh.c_str(), path().c_str()) != 0) return Failed("rename", fresh);
  return SyncDirectory(data_dir_);
}

// Root and the database's own user are its one role; nobody else, and nothing over a network.
absl::Status ClusterDirectory::WriteAccessRules(int fd) const {
  const std::string map = absl::StrCat("corefleet root corefleet\ncorefleet ", user_.name, " corefleet\n");
  RETURN_IF_ERROR(WriteFile(fd, "pg_hba.conf", "local all corefleet peer map=corefleet\n", user_));
  return WriteFile(fd, "pg_ident.conf", map, user_);
}

pid_t ClusterDirectory::RecordedServer() const {
  int pid = 0;
  if (!absl::SimpleAtoi(FirstLine(absl::StrCat(path(), "/postmaster.pid")), &pid) || pid <= 1) return 0;
  return ::kill(pid, 0) == 0 || errno == EPERM ? pid : 0;
}

// A postmaster's working directory is its data directory.
bool ClusterDirectory::RunsHere(pid_t pid) const {
  struct stat ours;
  struct stat theirs;
  return ::fstat(fd_, &ours) == 0 && ::stat(absl::StrCat("/proc/", pid, "/cwd").c_str(), &theirs) == 0 &&
         ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

bool ClusterDirectory::AwaitEnd(pid_t pid, absl::Duration timeout) const {
  const absl::Time deadline = Clock::Real()->Now() + timeout;
  while (RunsHere(pid)) {
    if (Clock::Real()->Now() >= deadline) return false;
    Clock::Real()->Sleep(kPoll);
  }
  return true;
}

absl::Status ClusterDirectory::EndStaleServer(absl::Duration timeout) const {
  const pid_t pid = RecordedServer();
  if (pid == 0) return absl::OkStatus();
  if (!RunsHere(pid)) {
    ::unlinkat(fd_, "postmaster.pid", 0);
    return absl::OkStatus();
  }
  for (const int signal : {SIGINT, SIGQUIT, SIGKILL}) {
    if (::kill(pid, signal) != 0 && errno == EPERM) break;
    if (AwaitEnd(pid, signal == SIGINT ? timeout : absl::Seconds(5))) return absl::OkStatus();
  }
  return absl::UnavailableError(
      absl::StrCat("process ", pid, ", a database server on ", path(), ", does not end"));
}

std::string ClusterDirectory::EndOfLog() const {
  struct stat info;
  if (::fstat(log_fd_, &info) != 0) return "";
  const off_t from = info.st_size > kEndOfLogBytes ? info.st_size - kEndOfLogBytes : 0;
  std::string text(static_cast<size_t>(info.st_size - from), '\0');
  const ssize_t size = ::pread(log_fd_, &text[0], text.size(), from);
  text.resize(size > 0 ? static_cast<size_t>(size) : 0);
  return text;
}

}  // namespace corefleet

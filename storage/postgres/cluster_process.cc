#include "storage/postgres/cluster_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace corefleet {
namespace {

constexpr int kDirectoryFd = 3;
constexpr char kDirectoryPath[] = "/proc/self/fd/3";
constexpr int kFirstFreeFd = 10;  // above what the child puts its own in
constexpr int kCannotStart = 127;

// Everything the child needs, made before the fork: behind it only system calls are safe.
struct Prepared {
  std::vector<char*> argv;
  std::vector<char*> envp;
  int directory_fd = -1;
  int log_fd = -1;
  int null_fd = -1;
  bool switch_user = false;
  pid_t parent = 0;
};

void CloseAbove(unsigned first) {
  if (::syscall(SYS_close_range, first, ~0U, 0) == 0) return;
  for (int fd = static_cast<int>(first); fd < 4096; ++fd) ::close(fd);
}

// glibc's own wrappers would signal the threads that are not here any more.
bool BecomeUser(const ClusterUser& user) {
  return ::syscall(SYS_setgroups, 1, &user.gid) == 0 &&
         ::syscall(SYS_setresgid, user.gid, user.gid, user.gid) == 0 &&
         ::syscall(SYS_setresuid, user.uid, user.uid, user.uid) == 0;
}

void ResetSignals() {
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void RunChild(const ChildProcess& child, const Prepared& prepared) {
  // Its own session, so that a terminal's Ctrl-C does not end it before its users are done.
  ::setsid();
  ResetSignals();
  const bool placed = ::dup2(prepared.null_fd, 0) == 0 && ::dup2(prepared.log_fd, 1) == 1 &&
                      ::dup2(prepared.log_fd, 2) == 2 &&
                      ::dup2(prepared.directory_fd, kDirectoryFd) == kDirectoryFd;
  CloseAbove(kDirectoryFd + 1);
  ::umask(077);
  if (!placed || ::chdir("/") != 0) ::_exit(kCannotStart);
  if (prepared.switch_user && !BecomeUser(child.user)) ::_exit(kCannotStart);
  // After the change of user, which clears it. If the parent has ended before, nobody will send the signal.
  if (child.death_signal != 0 &&
      (::prctl(PR_SET_PDEATHSIG, child.death_signal) != 0 || ::getppid() != prepared.parent)) {
    ::_exit(kCannotStart);
  }
  ::execve(child.program.c_str(), prepared.argv.data(), prepared.envp.data());
  ::_exit(kCannotStart);
}

std::vector<char*> Pointers(std::vector<std::string>* texts) {
  std::vector<char*> pointers;
  for (std::string& text : *texts) pointers.push_back(&text[0]);
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

absl::StatusOr<pid_t> Spawn(const ChildProcess& child) {
  std::vector<std::string> arguments = child.arguments;
  arguments.insert(arguments.begin(), child.program);
  std::vector<std::string> environment = {"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"};
  Prepared prepared{.argv = Pointers(&arguments), .envp = Pointers(&environment)};
  prepared.directory_fd = ::fcntl(child.directory_fd, F_DUPFD_CLOEXEC, kFirstFreeFd);
  prepared.log_fd = ::fcntl(child.log_fd, F_DUPFD_CLOEXEC, kFirstFreeFd);
  const int null_fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  prepared.null_fd = ::fcntl(null_fd, F_DUPFD_CLOEXEC, kFirstFreeFd);
  prepared.switch_user = ::geteuid() != child.user.uid;
  prepared.parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) RunChild(child, prepared);
  const int error = errno;
  for (const int fd : {prepared.directory_fd, prepared.log_fd, prepared.null_fd, null_fd}) ::close(fd);
  if (pid < 0) {
    return absl::InternalError(absl::StrCat("cannot start ", child.program, ": ", std::strerror(error)));
  }
  return pid;
}

absl::Status AwaitExit(pid_t pid) {
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) != 0) {
    if (errno != EINTR) return absl::InternalError(absl::StrCat("cannot wait: ", std::strerror(errno)));
  }
  if (info.si_code == CLD_EXITED && info.si_status == 0) return absl::OkStatus();
  if (info.si_code == CLD_EXITED) return absl::InternalError(absl::StrCat("it exited with ", info.si_status));
  return absl::InternalError(absl::StrCat("it was ended by signal ", info.si_status));
}

void Reap(pid_t pid) {
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

absl::Status RunInitdb(const ClusterDirectory& directory, int fd) {
  const ChildProcess initdb{
      .program = directory.Program("initdb"),
      .arguments = {"-D", kDirectoryPath, "--username=corefleet", "--encoding=UTF8", "--locale=C",
                    "--auth=peer", "--data-checksums", "--no-instructions"},
      .user = directory.user(),
      .directory_fd = fd,
      .log_fd = directory.log_fd(),
      .death_signal = SIGTERM};
  ASSIGN_OR_RETURN(const pid_t pid, Spawn(initdb));
  const absl::Status status = AwaitExit(pid);
  Reap(pid);
  if (!status.ok()) return absl::InternalError(absl::StrCat("initdb failed: ", status.message()));
  return absl::OkStatus();
}

absl::StatusOr<pid_t> SpawnServer(const ClusterDirectory& directory,
                                  const std::vector<std::string>& arguments) {
  ChildProcess server{.program = directory.Program("postgres"),
                      .arguments = {"-D", kDirectoryPath},
                      .user = directory.user(),
                      .directory_fd = directory.fd(),
                      .log_fd = directory.log_fd(),
                      .death_signal = SIGINT};
  server.arguments.insert(server.arguments.end(), arguments.begin(), arguments.end());
  return Spawn(server);
}

}  // namespace corefleet

#include "core/kdump/reader/reader_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace corefleet {
namespace {

constexpr uint32_t kMaxMessage = 512;
// A reply comes in a few pieces; a reader that sends it byte by byte is no reader of ours.
constexpr int kMaxPieces = 1024;
// Descriptors are moved up here first, so that none is overwritten before it is in its place.
constexpr int kOutOfTheWay = kReaderFirstFile + kMaxReaderFiles;

// The attributes and file actions of a spawn, freed at the end.
class SpawnPlan {
 public:
  SpawnPlan() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    // A group of its own: a ^C at the terminal is its parent's to handle.
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }

  // `fd` becomes `number` in the new process. False when no descriptor is left.
  bool Give(int fd, int number) {
    moved_.emplace_back(fcntl(fd, F_DUPFD_CLOEXEC, kOutOfTheWay));
    return moved_.back().get() >= 0 &&
           posix_spawn_file_actions_adddup2(&actions_, moved_.back().get(), number) == 0;
  }

  // 0, or why not.
  int Spawn(const std::string& program, size_t files, pid_t* pid) {
    posix_spawn_file_actions_addclosefrom_np(&actions_, kReaderFirstFile + static_cast<int>(files));
    std::string name = "corefleet-kdump-reader", argument = kReaderArgument, count = std::to_string(files);
    char* const arguments[] = {name.data(), argument.data(), count.data(), nullptr};
    char* const environment[] = {nullptr};
    return posix_spawn(pid, program.c_str(), &actions_, &attributes_, arguments, environment);
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
  std::vector<ReaderFd> moved_;
};

absl::Status CannotStart(int error) {
  return absl::UnavailableError(
      absl::StrCat("cannot start the reader of compressed dumps: ", strerror(error)));
}

// Takes the reader's end of the socket: once it is only the reader's, its death is an end of file on ours.
absl::StatusOr<pid_t> SpawnReader(const std::string& program, ReaderFd theirs,
                                  const std::vector<ReaderFd>& files) {
  SpawnPlan plan;
  bool given = plan.Give(theirs.get(), kReaderSocket);
  for (size_t i = 0; i < files.size(); ++i) {
    given = given && plan.Give(files[i].get(), kReaderFirstFile + static_cast<int>(i));
  }
  if (!given) return CannotStart(EMFILE);
  pid_t pid = 0;
  if (const int error = plan.Spawn(program, files.size(), &pid); error != 0) return CannotStart(error);
  return pid;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ReaderProcess>> ReaderProcess::Start(const std::string& program,
                                                                    const std::vector<ReaderFd>& files,
                                                                    int timeout_ms) {
  if (files.empty() || files.size() > kMaxReaderFiles) {
    return absl::InvalidArgumentError(absl::StrCat("a dump of ", files.size(), " files; 1 to 64 are read"));
  }
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return CannotStart(errno);
  ReaderFd ours(ends[0]);
  ASSIGN_OR_RETURN(const pid_t pid, SpawnReader(program, ReaderFd(ends[1]), files));
  std::unique_ptr<ReaderProcess> reader(new ReaderProcess(pid, std::move(ours), timeout_ms));
  const absl::Status opened = reader->Await({});
  if (opened.ok() || absl::IsUnimplemented(opened)) {
    if (!opened.ok()) return opened;
    return reader;
  }
  return absl::InvalidArgumentError(opened.message());
}

ReaderProcess::~ReaderProcess() { GiveUp("").IgnoreError(); }

absl::Status ReaderProcess::GiveUp(absl::string_view why) {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    dead_ = absl::DataLossError(why);
  }
  return dead_;
}

absl::Status ReaderProcess::Receive(absl::Span<uint8_t> out) {
  for (int piece = 0; !out.empty(); ++piece) {
    if (piece == kMaxPieces) return GiveUp("the reader of the dump dawdles");
    pollfd waiting{socket_.get(), POLLIN, 0};
    const int ready = poll(&waiting, 1, timeout_ms_);
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) return GiveUp("reading the dump took too long");
    const ssize_t n = recv(socket_.get(), out.data(), out.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return GiveUp("the reader of the dump died of it");
    out.remove_prefix(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

absl::Status ReaderProcess::Await(absl::Span<uint8_t> out) {
  ReaderReply reply{};
  RETURN_IF_ERROR(Receive({reinterpret_cast<uint8_t*>(&reply), sizeof(reply)}));
  if (reply.code == 0) {
    if (reply.size != out.size()) return GiveUp("the reader of the dump answered something else");
    return Receive(out);
  }
  if (reply.size > kMaxMessage || reply.code > 16) return GiveUp("the reader of the dump answered nonsense");
  std::string message(reply.size, '\0');
  RETURN_IF_ERROR(Receive({reinterpret_cast<uint8_t*>(message.data()), message.size()}));
  return absl::Status(static_cast<absl::StatusCode>(reply.code), message);
}

absl::Status ReaderProcess::Read(ReaderOp op, uint64_t address, absl::Span<uint8_t> out) {
  RETURN_IF_ERROR(dead_);
  const ReaderRequest request{op, static_cast<uint32_t>(out.size()), address};
  // The socket's buffer always has room for one request: the reader has read the one before.
  const ssize_t n = send(socket_.get(), &request, sizeof(request), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n != static_cast<ssize_t>(sizeof(request))) return GiveUp("the reader of the dump died of it");
  return Await(out);
}

}  // namespace corefleet

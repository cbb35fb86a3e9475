#include "core/kdump/reader/reader_process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "core/kdump/reader/spawn_plan.h"

namespace corefleet {
namespace {

constexpr uint32_t kMaxMessage = 512;
// A reply comes in a few pieces; a reader that sends it byte by byte is no reader of ours.
constexpr int kMaxPieces = 1024;
absl::Status CannotStart(int error) {
  return absl::UnavailableError(
      absl::StrCat("cannot start the reader of compressed dumps: ", strerror(error)));
}

// Takes the reader's end of the socket: once it is only the reader's, its death is an end of file on ours.
absl::StatusOr<pid_t> SpawnReader(const std::string& program, ReaderFd theirs,
                                  const std::vector<ReaderFd>& files) {
  SpawnPlan plan(kReaderFirstFile + static_cast<int>(files.size()) - 1, /*keep_stderr=*/true);
  bool given = plan.Give(theirs.get(), kReaderSocket);
  for (size_t i = 0; i < files.size(); ++i) {
    given = given && plan.Give(files[i].get(), kReaderFirstFile + static_cast<int>(i));
  }
  if (!given) return CannotStart(EMFILE);
  pid_t pid = 0;
  const int error =
      plan.Spawn(program, {"corefleet-kdump-reader", kReaderArgument, std::to_string(files.size())}, &pid);
  if (error != 0) return CannotStart(error);
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

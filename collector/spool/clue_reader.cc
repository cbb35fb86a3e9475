// The parent's half of reading clues: starts the child, and believes nothing that it says but its size.
#include "collector/spool/clue_reader.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "base/boot_clock.h"
#include "base/status_macros.h"
#include "collector/source/file_bytes.h"
#include "collector/spool/clue_protocol.h"
#include "collector/spool/entry_format.h"
#include "core/bytes/byte_reader.h"
#include "core/kdump/reader/spawn_plan.h"

namespace corefleet {
namespace {

absl::Status CannotStart(int error) {
  return absl::UnavailableError(absl::StrCat("cannot start the reader of clues: ", strerror(error)));
}

// A running child; it is gone when the object is.
class ClueProcess {
 public:
  ClueProcess() = default;
  ClueProcess(const ClueProcess&) = delete;
  ClueProcess& operator=(const ClueProcess&) = delete;
  ~ClueProcess() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }

  absl::Status Start(const std::string& program, const SpoolBytes& entry, const ClueLimits& limits) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return CannotStart(errno);
    ours_ = OwnedFd(ends[0]);
    const OwnedFd theirs(ends[1]);
    SpawnPlan plan(kClueEntry, /*keep_stderr=*/false);
    if (!plan.Give(theirs.get(), kClueSocket) || !plan.Give(entry.descriptor(), kClueEntry))
      return CannotStart(errno);
    const int error = plan.Spawn(program,
                                 {"corefleet-clue-reader", kClueArgument,
                                  absl::StrCat(limits.processor_seconds), absl::StrCat(limits.memory_bytes)},
                                 &pid_);
    if (error != 0) pid_ = 0;
    return error == 0 ? absl::OkStatus() : CannotStart(error);
  }

  // All that it says until it ends.
  absl::StatusOr<std::string> Listen(absl::Duration patience) {
    const absl::Duration end = BootClock::Real()->SinceBoot() + patience;
    std::string said;
    char piece[kMaxClueAnswer + 1];
    for (;;) {
      const absl::Duration left = end - BootClock::Real()->SinceBoot();
      if (left <= absl::ZeroDuration()) return absl::DataLossError("reading clues took too long");
      pollfd waiting{ours_.get(), POLLIN, 0};
      const int64_t milliseconds = std::min<int64_t>(absl::ToInt64Milliseconds(left) + 1, 3600 * 1000);
      if (poll(&waiting, 1, static_cast<int>(milliseconds)) <= 0) continue;
      const ssize_t got = recv(ours_.get(), piece, sizeof(piece), MSG_DONTWAIT);
      if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (got <= 0) return said;
      said.append(piece, static_cast<size_t>(got));
      if (said.size() > kMaxClueAnswer) return absl::DataLossError("the reader of clues says too much");
    }
  }

 private:
  pid_t pid_ = 0;
  OwnedFd ours_;
};

std::string TakeText(ByteReader* reader) {
  const uint16_t size = reader->U16();
  return std::string(TextOf(reader->Bytes(size)));
}

}  // namespace

absl::StatusOr<CrashClues> ReadClues(const SpoolBytes& entry, const ClueLimits& limits,
                                     const std::string& program) {
  if (entry.descriptor() < 0) return absl::UnavailableError("an entry that no other process can read");
  ClueProcess process;
  RETURN_IF_ERROR(process.Start(program, entry, limits));
  ASSIGN_OR_RETURN(const std::string said, process.Listen(limits.patience));
  ByteReader reader(BytesOf(said));
  CrashClues clues;
  const bool whole = TextOf(reader.Bytes(sizeof(kClueMark) - 1)) == kClueMark;
  clues.build_id = TakeText(&reader);
  clues.kernel_release = TakeText(&reader);
  clues.panic = TakeText(&reader);
  if (!whole || !reader.ok() || reader.remaining() != 0)
    return absl::DataLossError("the reader of clues died of the crash");
  if (clues == CrashClues()) return absl::NotFoundError("no clue in the crash");
  return CleanClues(clues);
}

}  // namespace corefleet

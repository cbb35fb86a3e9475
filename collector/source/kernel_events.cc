#include "collector/source/kernel_events.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace corefleet {
namespace {

// A message has at most 2 KiB of values and a path; what is longer is cut, and none of ours.
constexpr size_t kMaxMessage = 8192;
// A storm of events of other devices is taken at once, and still ends.
constexpr int kMaxMessages = 4096;
constexpr int kReceiveBuffer = 256 << 10;
constexpr uint32_t kKernelGroup = 1;

OwnedFd ListenToKernel() {
  OwnedFd fd(socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT));
  if (!fd.valid()) return fd;
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = kKernelGroup;
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof(kReceiveBuffer));
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return OwnedFd();
  return fd;
}

}  // namespace

bool TellsOfDump(ByteView message) {
  const absl::string_view text = TextOf(message).substr(0, kMaxMessage);
  absl::string_view action, subsystem;
  bool first = true;
  for (const absl::string_view part : absl::StrSplit(text, '\0')) {
    // The kernel's begin with ACTION@PATH; what udev passes on does not.
    if (first && !absl::StrContains(part, '@')) return false;
    first = false;
    if (absl::StartsWith(part, "ACTION=")) action = part.substr(7);
    if (absl::StartsWith(part, "SUBSYSTEM=")) subsystem = part.substr(10);
  }
  if (subsystem == "devcoredump") return action == "add";
  return subsystem == "remoteproc" && (action == "add" || action == "change");
}

KernelEvents::KernelEvents() : socket_(ListenToKernel()) {}

bool KernelEvents::Take() {
  bool told = false;
  uint8_t message[kMaxMessage];
  for (int i = 0; i < kMaxMessages && socket_.valid(); ++i) {
    sockaddr_nl sender{};
    socklen_t size = sizeof(sender);
    const ssize_t got = recvfrom(socket_.get(), message, sizeof(message), MSG_DONTWAIT,
                                 reinterpret_cast<sockaddr*>(&sender), &size);
    if (got < 0 && errno == EINTR) continue;
    // Messages were lost: one of them may have been ours.
    if (got < 0 && errno == ENOBUFS) told = true;
    if (got < 0 && errno != ENOBUFS) break;
    // Any process may send to the group that the kernel sends to; only the kernel has no number.
    const bool believed = !from_kernel_ || (size == sizeof(sender) && sender.nl_pid == 0);
    if (got > 0 && believed) told = TellsOfDump({message, static_cast<size_t>(got)}) || told;
  }
  return told;
}

}  // namespace corefleet

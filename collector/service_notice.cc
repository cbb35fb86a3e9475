#include "collector/service_notice.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "collector/source/file_bytes.h"

namespace corefleet {
namespace {

std::string Environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

ServiceNotice::ServiceNotice() : socket_(Environment("NOTIFY_SOCKET")) {
  int64_t microseconds = 0;
  if (absl::SimpleAtoi(Environment("WATCHDOG_USEC"), &microseconds) && microseconds > 0) {
    watchdog_interval_ = absl::Microseconds(microseconds);
  }
}

void ServiceNotice::Status(absl::string_view text) const { Send(absl::StrCat("STATUS=", text)); }

void ServiceNotice::Send(absl::string_view text) const {
  sockaddr_un address{.sun_family = AF_UNIX};
  if (socket_.empty() || socket_.size() >= sizeof(address.sun_path)) return;
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  // '@' stands for the zero that begins an abstract name.
  if (socket_[0] == '@') address.sun_path[0] = '\0';
  const OwnedFd sender(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  sendto(sender.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
         reinterpret_cast<const sockaddr*>(&address), length);
}

}  // namespace corefleet

#include "server/rpc/acceptor.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"

namespace corefleet {
namespace {

// So long nothing is accepted when the system has no descriptor or no memory for it.
constexpr int kPauseMs = 50;
// Of one listening socket, before the others and the wish to stop are looked at.
constexpr int kBatch = 64;
// A peer that vanished in mid-air is noticed after so long, as gRPC's own acceptor has it.
constexpr int kUnackedMs = 20'000;

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

absl::Status CannotListen(absl::string_view host, int port, absl::string_view why) {
  return absl::UnavailableError(absl::StrCat("cannot listen on ", host, ":", port, ": ", why));
}

absl::StatusOr<Addresses> Resolve(const std::string& host, int port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (error != 0) return CannotListen(host, port, gai_strerror(error));
  return Addresses(list);
}

void SetOption(int fd, int level, int name, int value) { setsockopt(fd, level, name, &value, sizeof(value)); }

// Accepted sockets inherit these.
void Configure(int fd, int family) {
  SetOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, kUnackedMs);
  // [::] means IPv4 as well.
  if (family == AF_INET6) SetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
}

void SetPort(addrinfo* address, int port) {
  if (address->ai_family == AF_INET) reinterpret_cast<sockaddr_in*>(address->ai_addr)->sin_port = htons(port);
  if (address->ai_family == AF_INET6)
    reinterpret_cast<sockaddr_in6*>(address->ai_addr)->sin6_port = htons(port);
}

int PortOf(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&address)->sin6_port
                                             : reinterpret_cast<sockaddr_in*>(&address)->sin_port);
}

// -1, and errno, if that address cannot be had.
int ListenOn(const addrinfo& address) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  Configure(fd, address.ai_family);
  if (bind(fd, address.ai_addr, address.ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

// The client sees a reset, and not an end that it might take for an answer.
void Refuse(int fd) {
  const linger at_once = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  close(fd);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Listen(const std::string& host, int port) {
  auto addresses = Resolve(host, port);
  if (!addresses.ok()) return addresses.status();
  std::vector<int> listening;
  for (addrinfo* address = addresses->get(); address != nullptr; address = address->ai_next) {
    if (port != 0) SetPort(address, port);
    const int fd = ListenOn(*address);
    if (fd < 0 && errno == EAFNOSUPPORT) continue;  // localhost is ::1 as well, where there is IPv6
    if (fd < 0) {
      const std::string why = std::strerror(errno);
      for (const int other : listening) close(other);
      return CannotListen(host, port, why);
    }
    listening.push_back(fd);
    if (port == 0) port = PortOf(fd);
  }
  if (listening.empty()) return CannotListen(host, port, "no address");
  return std::unique_ptr<Acceptor>(
      new Acceptor(std::move(listening), eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), port));
}

Acceptor::~Acceptor() {
  Stop();
  close(wake_);
}

void Acceptor::Start(Options options) {
  options_ = std::move(options);
  thread_ = std::thread([this] { Run(); });
}

void Acceptor::Stop() {
  if (thread_.joinable()) {
    eventfd_write(wake_, 1);
    thread_.join();
  }
  for (const int fd : listening_) close(fd);
  listening_.clear();
}

void Acceptor::Run() {
  std::vector<pollfd> waiting = {{.fd = wake_, .events = POLLIN}};
  for (const int fd : listening_) waiting.push_back({.fd = fd, .events = POLLIN});
  while (true) {
    if (poll(waiting.data(), waiting.size(), -1) < 0) continue;
    if (waiting[0].revents != 0) return;
    bool descriptors_left = true;
    for (size_t i = 1; i < waiting.size(); ++i) {
      if (waiting[i].revents != 0) descriptors_left &= AcceptAll(waiting[i].fd);
    }
    // The connection that could not be accepted waits still, and poll would return at once for ever.
    if (!descriptors_left) poll(waiting.data(), 1, kPauseMs);
  }
}

bool Acceptor::AcceptAll(int listening) {
  for (int i = 0; i < kBatch; ++i) {
    const int fd = accept4(listening, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      Take(fd);
      continue;
    }
    const bool exhausted = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
    if (exhausted && !exhausted_) Log(LogLevel::kError, "cannot accept", {{"why", std::strerror(errno)}});
    exhausted_ = exhausted;
    // Anything else is a client that went away while it waited.
    return !exhausted;
  }
  return true;
}

void Acceptor::Take(int fd) {
  exhausted_ = false;
  if (fd < options_.max_descriptor) return options_.accepted(fd);
  Refuse(fd);
  options_.refused();
}

}  // namespace corefleet

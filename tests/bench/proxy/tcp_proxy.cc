#include "tests/bench/proxy/tcp_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <vector>

#include "absl/status/status.h"

namespace corefleet {
namespace {

// What a link holds in each direction, so that a slow one pushes back as a real one does.
constexpr size_t kLinkBuffer = 64 << 10;
constexpr size_t kReadAtOnce = 64 << 10;
// Pieces in which a limited link hands over what it carries.
constexpr size_t kSlowPiece = 4 << 10;
constexpr int kEvents = 256;

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int ConnectTo(int port) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(port);
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 &&
      errno != EINPROGRESS) {
    ::close(descriptor);
    return -1;
  }
  return descriptor;
}

void SendAtOnce(int descriptor) {
  const int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

}  // namespace

// One way of a link.
struct TcpProxy::Direction {
  struct Piece {
    absl::Time due;
    std::vector<char> bytes;
    size_t sent = 0;
  };

  bool up = false;
  int from = -1;
  int to = -1;
  std::deque<Piece> held;
  size_t held_bytes = 0;
  uint64_t read_bytes = 0;
  absl::Time last_due = absl::InfinitePast();
  bool readable = true;
  bool writable = true;
  bool from_ended = false;
  bool to_ended = false;
};

struct TcpProxy::Link {
  Link(const LinkFaults& faults, uint64_t number) : plan(faults, number) {}

  ConnectionFaults plan;
  Direction up;
  Direction down;
  bool half_closed = false;
  bool stalled_once = false;
  absl::Time stalled_until = absl::InfinitePast();
};

absl::StatusOr<std::unique_ptr<TcpProxy>> TcpProxy::Listen(int port, int target_port,
                                                           const LinkFaults& faults, Clock* clock) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address = Loopback(port);
  socklen_t size = sizeof(address);
  if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      ::listen(listener, 4096) != 0 ||
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    ::close(listener);
    return absl::UnavailableError("cannot listen");
  }
  return std::unique_ptr<TcpProxy>(
      new TcpProxy(listener, ntohs(address.sin_port), target_port, faults, clock));
}

TcpProxy::TcpProxy(int listener, int port, int target_port, const LinkFaults& faults, Clock* clock)
    : listener_(listener),
      port_(port),
      target_port_(target_port),
      faults_(faults),
      clock_(clock),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  for (const int descriptor : {listener_, wake_}) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = descriptor == listener_ ? static_cast<void*>(this) : nullptr;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event);
  }
}

TcpProxy::~TcpProxy() {
  while (!links_.empty()) Close(links_.begin()->first, /*reset=*/false);
  ::close(listener_);
  ::close(epoll_);
  ::close(wake_);
}

void TcpProxy::Stop() {
  const uint64_t one = 1;
  (void)!::write(wake_, &one, sizeof(one));
}

void TcpProxy::Run() {
  std::vector<epoll_event> events(kEvents);
  for (;;) {
    const int count = ::epoll_wait(epoll_, events.data(), kEvents, WaitMs(clock_->Now()));
    bool stop = false;
    for (int i = 0; i < count; ++i) {
      stop = stop || events[static_cast<size_t>(i)].data.ptr == nullptr;
      if (events[static_cast<size_t>(i)].data.ptr == this) Accept();
    }
    if (stop) return;
    // A link's descriptors are edge-triggered and there are few hundred links: to look at all that are ready
    // or due is simpler than to keep a list of timers.
    const absl::Time now = clock_->Now();
    std::vector<Link*> links;
    for (const auto& entry : links_) links.push_back(entry.first);
    for (int i = 0; i < count; ++i) {
      auto* const link = static_cast<Link*>(events[static_cast<size_t>(i)].data.ptr);
      if (links_.count(link) == 0) continue;
      const uint32_t what = events[static_cast<size_t>(i)].events;
      // Both sockets of a link carry its pointer, so an event wakes both ways; a try too many gives EAGAIN.
      if (what & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP)) link->up.readable = link->down.readable = true;
      if (what & (EPOLLOUT | EPOLLERR)) link->up.writable = link->down.writable = true;
    }
    for (Link* const link : links) Serve(link, now);
  }
}

void TcpProxy::Accept() {
  for (;;) {
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0) return;
    const int server = ConnectTo(target_port_);
    if (server < 0) {
      ::close(client);
      continue;
    }
    auto link = std::make_unique<Link>(faults_, counts_.connections++);
    link->up.up = true;
    link->up.from = link->down.to = client;
    link->up.to = link->down.from = server;
    for (const int descriptor : {client, server}) {
      SendAtOnce(descriptor);
      epoll_event event{};
      event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
      event.data.ptr = link.get();
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event);
    }
    Link* const key = link.get();
    links_.emplace(key, std::move(link));
  }
}

void TcpProxy::Serve(Link* link, absl::Time now) {
  if (now < link->stalled_until) return;
  if (!Move(link, &link->up, now) || !Move(link, &link->down, now)) return;
  if (link->up.to_ended && link->down.to_ended) Close(link, /*reset=*/false);
}

bool TcpProxy::Move(Link* link, Direction* way, absl::Time now) {
  // On until there is nothing to read or no room: the next event comes only when that changes.
  do {
    if (!Fill(link, way, now) || !Drain(link, way, now)) return false;
    if (now < link->stalled_until) return true;
  } while (way->readable && !way->from_ended && way->held_bytes < kLinkBuffer);
  return true;
}

bool TcpProxy::Fill(Link* link, Direction* way, absl::Time now) {
  while (way->readable && !way->from_ended && way->held_bytes < kLinkBuffer) {
    if (way->up && !Strike(link, now)) return false;
    if (now < link->stalled_until || (way->up && link->half_closed)) return true;
    const uint64_t most = faults_.bytes_per_second > 0 ? kSlowPiece : kReadAtOnce;
    std::vector<char> bytes(Allowed(*link, *way, most));
    const ssize_t count = ::recv(way->from, bytes.data(), bytes.size(), 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
      way->readable = false;
      return true;
    }
    if (count < 0) {
      Close(link, /*reset=*/true);
      return false;
    }
    if (count == 0) {
      way->from_ended = true;
      return true;
    }
    bytes.resize(static_cast<size_t>(count));
    absl::Time due = now + faults_.delay;
    if (faults_.bytes_per_second > 0) {
      due = std::max(due, way->last_due) +
            absl::Seconds(static_cast<double>(count) / static_cast<double>(faults_.bytes_per_second));
    }
    way->last_due = due;
    way->held.push_back({due, std::move(bytes)});
    way->held_bytes += static_cast<size_t>(count);
    way->read_bytes += static_cast<uint64_t>(count);
    (way->up ? counts_.upstream_bytes : counts_.downstream_bytes) += static_cast<uint64_t>(count);
    if (way->up) Corrupt(link, way, static_cast<size_t>(count));
  }
  return true;
}

uint64_t TcpProxy::Allowed(const Link& link, const Direction& way, uint64_t most) const {
  if (!way.up) return most;
  uint64_t next = std::min(link.plan.cut_at(), link.plan.half_close_at());
  if (!link.stalled_once) next = std::min(next, link.plan.stall_at());
  return std::min(most, next - way.read_bytes);
}

bool TcpProxy::Strike(Link* link, absl::Time now) {
  const uint64_t at = link->up.read_bytes;
  if (at >= link->plan.cut_at()) {
    ++counts_.cuts;
    Close(link, /*reset=*/true);
    return false;
  }
  if (at >= link->plan.half_close_at() && !link->half_closed) {
    ++counts_.half_closes;
    link->half_closed = true;
    link->up.from_ended = true;
  }
  if (at >= link->plan.stall_at() && !link->stalled_once) {
    ++counts_.stalls;
    link->stalled_once = true;
    link->stalled_until = now + faults_.stall;
  }
  return true;
}

void TcpProxy::Corrupt(Link* link, Direction* way, size_t fresh) {
  const uint64_t from = way->read_bytes - fresh;
  while (link->plan.corrupt_at() < way->read_bytes) {
    way->held.back().bytes[link->plan.corrupt_at() - from] ^= 0x10;
    link->plan.Corrupted();
    ++counts_.corrupted_bytes;
  }
}

bool TcpProxy::Drain(Link* link, Direction* way, absl::Time now) {
  while (way->writable && !way->held.empty() && way->held.front().due <= now) {
    Direction::Piece& piece = way->held.front();
    const ssize_t count =
        ::send(way->to, piece.bytes.data() + piece.sent, piece.bytes.size() - piece.sent, MSG_NOSIGNAL);
    if (count < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOTCONN)) {
      way->writable = false;
      return true;
    }
    if (count < 0) {
      Close(link, /*reset=*/true);
      return false;
    }
    piece.sent += static_cast<size_t>(count);
    way->held_bytes -= static_cast<size_t>(count);
    if (piece.sent == piece.bytes.size()) way->held.pop_front();
  }
  if (way->from_ended && way->held.empty() && !way->to_ended) {
    ::shutdown(way->to, SHUT_WR);
    way->to_ended = true;
  }
  return true;
}

void TcpProxy::Close(Link* link, bool reset) {
  for (const int descriptor : {link->up.from, link->up.to}) {
    const linger now = {1, 0};
    if (reset) ::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    ::close(descriptor);
  }
  links_.erase(link);
}

int TcpProxy::WaitMs(absl::Time now) const {
  absl::Time wake = absl::InfiniteFuture();
  for (const auto& entry : links_) {
    const Link& link = *entry.first;
    if (now < link.stalled_until) {
      wake = std::min(wake, link.stalled_until);
      continue;
    }
    for (const Direction* way : {&link.up, &link.down}) {
      if (!way->held.empty() && way->writable) wake = std::min(wake, way->held.front().due);
    }
  }
  if (wake == absl::InfiniteFuture()) return -1;
  return static_cast<int>(std::max<int64_t>(0, absl::ToInt64Milliseconds(wake - now) + 1));
}

}  // namespace corefleet

#ifndef COREFLEET_TESTS_BENCH_PROXY_TCP_PROXY_H_
#define COREFLEET_TESTS_BENCH_PROXY_TCP_PROXY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "tests/bench/proxy/fault_plan.h"

namespace corefleet {

// What has passed a proxy.
struct ProxyCounts {
  uint64_t connections = 0;
  uint64_t upstream_bytes = 0;    // taken from clients
  uint64_t downstream_bytes = 0;  // taken from the server
  uint64_t cuts = 0;
  uint64_t half_closes = 0;
  uint64_t stalls = 0;
  uint64_t corrupted_bytes = 0;
};

// Carries TCP connections to a server over a link that misbehaves as it is told. One thread in an epoll loop,
// so that it costs a benchmark little. IPv4.
class TcpProxy {
 public:
  // Listens on 127.0.0.1:`port` (0: any free one) for connections to 127.0.0.1:`target_port`. UNAVAILABLE if
  // it cannot.
  static absl::StatusOr<std::unique_ptr<TcpProxy>> Listen(int port, int target_port, const LinkFaults& faults,
                                                          Clock* clock);
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  int port() const { return port_; }
  // Carries until Stop. Blocks.
  void Run();
  // Ends Run soon. Async-signal-safe and thread-safe.
  void Stop();
  // Only when Run has ended.
  const ProxyCounts& counts() const { return counts_; }

 private:
  struct Direction;
  struct Link;

  TcpProxy(int listener, int port, int target_port, const LinkFaults& faults, Clock* clock);
  void Accept();
  void Serve(Link* link, absl::Time now);
  // Moves what can be moved one way. False when the link is over.
  bool Move(Link* link, Direction* way, absl::Time now);
  bool Fill(Link* link, Direction* way, absl::Time now);
  bool Drain(Link* link, Direction* way, absl::Time now);
  // What may be read before the next fault of a link, at most `most`.
  uint64_t Allowed(const Link& link, const Direction& way, uint64_t most) const;
  bool Strike(Link* link, absl::Time now);
  void Corrupt(Link* link, Direction* way, size_t fresh);
  void Close(Link* link, bool reset);
  int WaitMs(absl::Time now) const;

  const int listener_;
  const int port_;
  const int target_port_;
  const LinkFaults faults_;
  Clock* const clock_;
  const int epoll_;
  const int wake_;  // eventfd
  std::unordered_map<Link*, std::unique_ptr<Link>> links_;
  ProxyCounts counts_;
};

}  // namespace corefleet

#endif  // COREFLEET_TESTS_BENCH_PROXY_TCP_PROXY_H_

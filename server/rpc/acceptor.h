#ifndef COREFLEET_SERVER_RPC_ACCEPTOR_H_
#define COREFLEET_SERVER_RPC_ACCEPTOR_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace corefleet {

// Accepts the connections of a port, in a thread of its own, and passes them on.
//
// gRPC 1.51 stops accepting for ever once it has run out of descriptors (CVE-2023-4785), so it is not asked
// to. Here nothing stops accepting, and descriptors do not run out: the system gives the lowest free number,
// so a connection whose number is `max_descriptor` or higher means that so many are in use, and is closed at
// once. Whoever is above that line, such as the disk and the database, still finds descriptors.
class Acceptor {
 public:
  struct Options {
    int max_descriptor = 0;
    // Takes a connection: a descriptor that does not block, and is the callee's from then on. Called from one
    // thread.
    std::function<void(int fd)> accepted;
    // One was closed because of max_descriptor. Called from the same thread.
    std::function<void()> refused;
  };

  // Listens on every address that `host` stands for. Port 0 takes a free one. Connections wait until Start.
  //   UNAVAILABLE  the address cannot be listened on; the text says why
  static absl::StatusOr<std::unique_ptr<Acceptor>> Listen(const std::string& host, int port);
  // Stops.
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  int port() const { return port_; }
  // Call it once.
  void Start(Options options);
  // When it returns, nothing more is accepted, and new clients are refused. May be called again.
  void Stop();

 private:
  Acceptor(std::vector<int> listening, int wake, int port)
      : listening_(std::move(listening)), wake_(wake), port_(port) {}
  void Run();
  // Accepts what waits; false when there is no descriptor left for it.
  bool AcceptAll(int listening);
  void Take(int fd);

  std::vector<int> listening_;
  const int wake_;
  const int port_;
  Options options_;
  bool exhausted_ = false;
  std::thread thread_;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_RPC_ACCEPTOR_H_

#ifndef COREFLEET_SERVER_RPC_RPC_SERVER_H_
#define COREFLEET_SERVER_RPC_RPC_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/rpc/acceptor.h"
#include "server/rpc/call_buffers.h"
#include "server/rpc/tls_credentials.h"

namespace corefleet {

// What one port allows.
struct RpcLimits {
  int max_message_bytes = 4 << 20;
  int max_streams_per_connection = 256;
  int max_metadata_bytes = 8 << 10;
  // gRPC's own buffers, of all connections of the port. Soft: a backstop behind our own bounds. Null: 256
  // MiB. Need not outlive the server.
  const CallBuffers* buffers = nullptr;
  // A device's connection is closed when it has been idle this long, and after this age, so that a fleet
  // spreads over replicas that were added. Infinite: never.
  absl::Duration max_idle = absl::InfiniteDuration();
  absl::Duration max_age = absl::InfiniteDuration();
  // A connection whose descriptor is this or higher is closed at once: so many are in use already.
  int max_descriptor = std::numeric_limits<int>::max();
};

// What one port is.
struct RpcPort {
  std::shared_ptr<const TlsIdentity> tls;  // null: plaintext
  ClientCertificates clients = ClientCertificates::kRequired;
  // Tells whoever asks which methods and messages there are.
  bool reflection = false;
  // A connection was accepted, or refused because of max_descriptor. Called from one thread; may be empty.
  std::function<void(bool accepted)> on_connection;
};

// One port with one service and health. NOT_SERVING until SetServing. Thread-safe.
class RpcServer {
 public:
  // `address` is "host:port"; port 0 takes a free one. `service` must outlive the server.
  //   UNAVAILABLE  the address cannot be listened on; or gRPC refuses the certificates
  static absl::StatusOr<std::unique_ptr<RpcServer>> Start(const std::string& address, grpc::Service* service,
                                                          const std::string& service_name,
                                                          const RpcLimits& limits, const RpcPort& port = {});
  // Stops at once.
  ~RpcServer();

  // "host:port" with the port that was taken.
  const std::string& address() const { return address_; }
  // How many connections were closed because of max_descriptor: whoever closes them is alive.
  int64_t refused() const { return *refused_; }
  // What the health service says.
  void SetServing(bool serving);
  // Accepts nothing new, and gives calls `grace` to end before they are cut off. Returns when all have ended.
  void Stop(absl::Duration grace);

 private:
  RpcServer(std::unique_ptr<Acceptor> acceptor, std::unique_ptr<grpc::Server> server,
            std::string service_name, std::string address,
            std::shared_ptr<const std::atomic<int64_t>> refused);

  const std::shared_ptr<const std::atomic<int64_t>> refused_;
  const std::unique_ptr<grpc::Server> server_;
  const std::unique_ptr<Acceptor> acceptor_;  // hands connections to server_
  const std::string service_name_;
  const std::string address_;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_RPC_RPC_SERVER_H_

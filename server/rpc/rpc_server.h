#ifndef COREFLEET_SERVER_RPC_RPC_SERVER_H_
#define COREFLEET_SERVER_RPC_RPC_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace corefleet {

// What one port allows.
struct RpcLimits {
  int max_message_bytes = 4 << 20;
  int max_streams_per_connection = 256;
  int max_metadata_bytes = 8 << 10;
  // gRPC's own buffers, of all connections of the port. Soft: a backstop behind our own bounds.
  size_t buffer_bytes = 256 << 20;
  // A device's connection is closed when it has been idle this long, and after this age, so that a fleet
  // spreads over replicas that were added. Infinite: never.
  absl::Duration max_idle = absl::InfiniteDuration();
  absl::Duration max_age = absl::InfiniteDuration();
};

// One port with one service, health and reflection. NOT_SERVING until SetServing. Thread-safe.
class RpcServer {
 public:
  // `address` is "host:port"; port 0 takes a free one. `service` must outlive the server.
  //   UNAVAILABLE  the address cannot be listened on
  static absl::StatusOr<std::unique_ptr<RpcServer>> Start(const std::string& address, grpc::Service* service,
                                                          const std::string& service_name,
                                                          const RpcLimits& limits);
  // Stops at once.
  ~RpcServer();

  // "host:port" with the port that was taken.
  const std::string& address() const { return address_; }
  // What the health service says.
  void SetServing(bool serving);
  // Accepts nothing new, and gives calls `grace` to end before they are cut off. Returns when all have ended.
  void Stop(absl::Duration grace);

 private:
  RpcServer(std::unique_ptr<grpc::Server> server, std::string service_name, std::string address);

  const std::unique_ptr<grpc::Server> server_;
  const std::string service_name_;
  const std::string address_;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_RPC_RPC_SERVER_H_

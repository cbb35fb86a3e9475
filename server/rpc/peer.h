#ifndef COREFLEET_SERVER_RPC_PEER_H_
#define COREFLEET_SERVER_RPC_PEER_H_

#include <grpcpp/grpcpp.h>

#include "absl/status/statusor.h"
#include "server/identity/caller.h"

namespace corefleet {

// Who calls, by the connection's certificate; a connection without TLS is anyone. Cheap; call it once a call.
//   UNAUTHENTICATED  the certificate names nobody
absl::StatusOr<DeviceCaller> DeviceCallerOf(const grpc::CallbackServerContext& context);

}  // namespace corefleet

#endif  // COREFLEET_SERVER_RPC_PEER_H_

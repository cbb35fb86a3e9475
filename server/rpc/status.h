#ifndef COREFLEET_SERVER_RPC_STATUS_H_
#define COREFLEET_SERVER_RPC_STATUS_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace corefleet {

// The one way from a domain status to the wire. Codes agree number by number. Payloads become the details of
// a google.rpc.Status, which is what gRPC's error details are by convention. Long messages are cut: they
// travel in trailers, which clients bound.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace corefleet

#endif  // COREFLEET_SERVER_RPC_STATUS_H_

#ifndef COREFLEET_SERVER_RPC_STATUS_H_
#define COREFLEET_SERVER_RPC_STATUS_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace corefleet {

// The one way from a domain status to the wire. Codes agree number by number. Payloads become the details of
// a google.rpc.Status, which is what gRPC's error details are by convention: a refusal (server/admission)
// those of google.rpc.ErrorInfo and, if it may end, google.rpc.RetryInfo; any other payload itself. Long
// messages are cut: they travel in trailers, which clients bound.
grpc::Status ToGrpcStatus(const absl::Status& status);

// Says a refusal's delay in the trailer grpc-retry-pushback-ms, where clients look that know no google.rpc
// messages. Does nothing for any other status. Call it before Finish.
void AddPushback(const absl::Status& status, grpc::CallbackServerContext* context);

}  // namespace corefleet

#endif  // COREFLEET_SERVER_RPC_STATUS_H_

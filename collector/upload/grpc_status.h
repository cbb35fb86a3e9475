#ifndef COREFLEET_COLLECTOR_UPLOAD_GRPC_STATUS_H_
#define COREFLEET_COLLECTOR_UPLOAD_GRPC_STATUS_H_

#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"

namespace corefleet {

// How a call ended, in the project's terms: the same code and text, and what the server attached to it as a
// Refusal (collector/upload/refusal.h), from the details' ErrorInfo and RetryInfo and from the trailer
// grpc-retry-pushback-ms. Call it when the call is over: `context` has its trailers then.
absl::Status StatusOfCall(const grpc::Status& status, const grpc::ClientContext& context);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_UPLOAD_GRPC_STATUS_H_

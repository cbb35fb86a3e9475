#ifndef COREFLEET_COLLECTOR_UPLOAD_CHANNEL_H_
#define COREFLEET_COLLECTOR_UPLOAD_CHANNEL_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "base/clock.h"

namespace corefleet {

// A channel to `address` ("host:port"), in plaintext, that notices a dead peer within a minute and comes back
// quickly.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address);

// Waits until the channel is connected. False when an attempt failed or `timeout` passed.
bool IsReachable(grpc::Channel* channel, Clock* clock, absl::Duration timeout);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_UPLOAD_CHANNEL_H_

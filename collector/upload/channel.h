#ifndef COREFLEET_COLLECTOR_UPLOAD_CHANNEL_H_
#define COREFLEET_COLLECTOR_UPLOAD_CHANNEL_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "collector/upload/channel_security.h"

namespace corefleet {

// A channel to `address` ("host:port"), in plaintext, that notices a dead peer within a minute and comes back
// quickly.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address);

// The same as `security` says: TLS 1.3, to a server whose certificate is valid for the address's host;
// plaintext when `security` says nothing. The files are read now.
//   INVALID_ARGUMENT  a file is not what it should be, or a token would travel in plaintext; the text says
//   which NOT_FOUND, PERMISSION_DENIED, UNAVAILABLE  a file cannot be read
absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const std::string& address,
                                                           const ChannelSecurity& security);

// A channel for a program that outlives its certificate: it follows the files. One thread at a time.
class RenewedChannel {
 public:
  RenewedChannel(std::string address, ChannelSecurity security)
      : address_(std::move(address)), security_(std::move(security)) {}

  // The channel for the next call: that of the call before, or a new one when a file has changed since. What
  // still uses the one before goes on. New files that make no sense are not taken while there is a channel
  // (perhaps only one of them has been written yet); the next call looks again. Costs a stat a file. Codes:
  // MakeChannel's.
  absl::StatusOr<std::shared_ptr<grpc::Channel>> Get();

 private:
  const std::string address_;
  const ChannelSecurity security_;
  std::vector<FileStamp> stamps_;
  std::shared_ptr<grpc::Channel> channel_;
};

// Waits until the channel is connected. False when an attempt failed or `timeout` passed.
bool IsReachable(grpc::Channel* channel, Clock* clock, absl::Duration timeout);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_UPLOAD_CHANNEL_H_

#ifndef COREFLEET_CLI_ARCHIVE_CONNECTION_H_
#define COREFLEET_CLI_ARCHIVE_CONNECTION_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/verb.h"
#include "corefleet/v1/archive.grpc.pb.h"

namespace corefleet {

absl::Status FromGrpc(const grpc::Status& status);

// UNAVAILABLE, saying who was asked, what is wrong with TLS there, if that can be seen, and how to name
// another: `option` is "server" or "ingest".
absl::Status NobodyAnswers(const std::string& address, const ChannelSecurity& security,
                           absl::string_view option);

// A server's CrashArchive, asked with deadlines. Every call's codes are those of
// proto/corefleet/v1/archive.proto.
class ArchiveConnection {
 public:
  // UNAVAILABLE, within 8 seconds, if nobody answers at `where.server`. Codes: also MakeChannel's.
  static absl::StatusOr<ArchiveConnection> To(const Surroundings& where);

  absl::StatusOr<v1::Crash> GetCrash(const std::string& id);
  absl::StatusOr<v1::ListCrashesResponse> ListCrashes(const v1::ListCrashesRequest& request);
  absl::StatusOr<v1::ReadMemoryResponse> ReadMemory(const v1::ReadMemoryRequest& request);
  // All answers of the stream.
  absl::StatusOr<std::vector<v1::GetLogResponse>> GetLog(const std::string& id);

  v1::CrashArchive::Stub* stub() { return stub_.get(); }

 private:
  ArchiveConnection(std::unique_ptr<v1::CrashArchive::Stub> stub, Clock* clock)
      : stub_(std::move(stub)), clock_(clock) {}
  void Limit(grpc::ClientContext* context) const;

  std::unique_ptr<v1::CrashArchive::Stub> stub_;
  Clock* clock_;
};

}  // namespace corefleet

#endif  // COREFLEET_CLI_ARCHIVE_CONNECTION_H_

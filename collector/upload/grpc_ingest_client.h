#ifndef COREFLEET_COLLECTOR_UPLOAD_GRPC_INGEST_CLIENT_H_
#define COREFLEET_COLLECTOR_UPLOAD_GRPC_INGEST_CLIENT_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "base/clock.h"
#include "collector/upload/call_cancellation.h"
#include "collector/upload/ingest_client.h"
#include "corefleet/v1/ingest.grpc.pb.h"

namespace corefleet {

// A server behind gRPC. One thread at a time, but for Cancel.
class GrpcIngestClient final : public IngestClient {
 public:
  struct Options {
    absl::Duration call_timeout = absl::Seconds(30);
    // A stream on which nothing at all moves for this long is given up. A slow link needs its time for a
    // message.
    absl::Duration stall_timeout = absl::Minutes(5);
    // Makes the channel of a new connection; empty: Reconnect does nothing. A channel that it cannot make is
    // null.
    std::function<std::shared_ptr<grpc::Channel>()> new_channel;
  };

  // `clock` must outlive it.
  GrpcIngestClient(std::shared_ptr<grpc::Channel> channel, const Options& options, Clock* clock);

  absl::StatusOr<BegunSession> Begin(const Introduction& crash) override;
  absl::StatusOr<SessionProgress> Progress(const SessionId& session) override;
  std::unique_ptr<ChunkStream> PutChunks(const SessionId& session) override;
  absl::StatusOr<StoredReceipt> Finish(const SessionId& session) override;
  absl::Status Abandon(const SessionId& session) override;
  void Reconnect() override;
  void Cancel() override { calls_.Cancel(); }

 private:
  // Makes a call with a deadline. `method` is one of the stub's.
  template <typename Method, typename Request, typename Response>
  absl::Status Call(Method method, const Request& request, Response* response);

  std::unique_ptr<v1::CrashIngest::Stub> stub_;
  Options options_;
  Clock* clock_;
  CallCancellation calls_;
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_UPLOAD_GRPC_INGEST_CLIENT_H_

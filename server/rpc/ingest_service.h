#ifndef COREFLEET_SERVER_RPC_INGEST_SERVICE_H_
#define COREFLEET_SERVER_RPC_INGEST_SERVICE_H_

#include "corefleet/v1/ingest.grpc.pb.h"
#include "server/ingest/ingestor.h"
#include "server/rpc/rim.h"
#include "server/rpc/upload_streams.h"

namespace corefleet {

// CrashIngest (proto/corefleet/v1/ingest.proto) over an Ingestor. Both must outlive every call.
class IngestService final : public v1::CrashIngest::CallbackService {
 public:
  IngestService(Rim* rim, Ingestor* ingestor) : rim_(rim), ingestor_(ingestor) {}

  grpc::ServerUnaryReactor* BeginCrash(grpc::CallbackServerContext* context,
                                       const v1::BeginCrashRequest* request,
                                       v1::BeginCrashResponse* response) override;
  grpc::ServerBidiReactor<v1::PutChunksRequest, v1::PutChunksResponse>* PutChunks(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* GetSession(grpc::CallbackServerContext* context,
                                       const v1::GetSessionRequest* request,
                                       v1::GetSessionResponse* response) override;
  grpc::ServerUnaryReactor* FinishCrash(grpc::CallbackServerContext* context,
                                        const v1::FinishCrashRequest* request,
                                        v1::FinishCrashResponse* response) override;
  grpc::ServerUnaryReactor* AbandonCrash(grpc::CallbackServerContext* context,
                                         const v1::AbandonCrashRequest* request,
                                         v1::AbandonCrashResponse* response) override;

 private:
  absl::Status WithMissing(const DeviceCaller& caller, const absl::Status& status,
                           const std::string& session);

  Rim* const rim_;
  Ingestor* const ingestor_;
  UploadStreams streams_;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_RPC_INGEST_SERVICE_H_

#include "server/rpc/ingest_service.h"

#include <limits>

#include "base/status_macros.h"
#include "server/rpc/convert.h"
#include "server/rpc/peer.h"
#include "server/rpc/put_chunks_reactor.h"

namespace corefleet {
namespace {

// Error details travel in trailers, which clients bound to 8 KiB. GetSession has the whole list.
constexpr size_t kMaxDetailRanges = 64;
// An announcement that is longer is too much work for one of gRPC's own threads.
constexpr int kRegionsAtOnce = 256;
constexpr char kSessionType[] = "type.googleapis.com/corefleet.v1.GetSessionResponse";

}  // namespace

grpc::ServerUnaryReactor* IngestService::BeginCrash(grpc::CallbackServerContext* context,
                                                    const v1::BeginCrashRequest* request,
                                                    v1::BeginCrashResponse* response) {
  return RunUnary(
      context, rim_, "BeginCrash",
      [this, context, request, response]() -> absl::Status {
        ASSIGN_OR_RETURN(const DeviceCaller caller, DeviceCallerOf(*context));
        ASSIGN_OR_RETURN(const CrashOffer offer, FromProto(*request));
        ASSIGN_OR_RETURN(const SessionStatus status, ingestor_->Begin(caller, offer));
        ToProto(status, ingestor_->limits(), response);
        return absl::OkStatus();
      },
      CallOwnerOf(*context),
      [this, context, request]() -> absl::Status {
        if (!ingestor_->busy() || request->regions_size() > kRegionsAtOnce) return absl::OkStatus();
        const auto caller = DeviceCallerOf(*context);
        const auto offer = FromProto(*request);
        if (!caller.ok() || !offer.ok()) return absl::OkStatus();
        return ingestor_->RefuseAtOnce(*caller, *offer).value_or(absl::OkStatus());
      });
}

grpc::ServerBidiReactor<v1::PutChunksRequest, v1::PutChunksResponse>* IngestService::PutChunks(
    grpc::CallbackServerContext* context) {
  return PutChunksReactor::Start(context, {.rim = rim_, .ingestor = ingestor_, .streams = &streams_});
}

grpc::ServerUnaryReactor* IngestService::GetSession(grpc::CallbackServerContext* context,
                                                    const v1::GetSessionRequest* request,
                                                    v1::GetSessionResponse* response) {
  return RunUnary(
      context, rim_, "GetSession",
      [this, context, request, response]() -> absl::Status {
        ASSIGN_OR_RETURN(const DeviceCaller caller, DeviceCallerOf(*context));
        ASSIGN_OR_RETURN(const SessionStatus status, ingestor_->GetSession(caller, request->session()));
        ToProto(status, std::numeric_limits<size_t>::max(), response);
        return absl::OkStatus();
      },
      CallOwnerOf(*context));
}

grpc::ServerUnaryReactor* IngestService::FinishCrash(grpc::CallbackServerContext* context,
                                                     const v1::FinishCrashRequest* request,
                                                     v1::FinishCrashResponse* response) {
  return RunUnary(
      context, rim_, "FinishCrash",
      [this, context, request, response]() -> absl::Status {
        ASSIGN_OR_RETURN(const DeviceCaller caller, DeviceCallerOf(*context));
        const auto finished = ingestor_->Finish(caller, request->session());
        if (!finished.ok()) return WithMissing(caller, finished.status(), request->session());
        ToProto(*finished, response);
        return absl::OkStatus();
      },
      CallOwnerOf(*context));
}

// A FAILED_PRECONDITION with the session as its detail, so that the device need not ask what is missing.
absl::Status IngestService::WithMissing(const DeviceCaller& caller, const absl::Status& status,
                                        const std::string& session) {
  if (!absl::IsFailedPrecondition(status)) return status;
  const auto standing = ingestor_->GetSession(caller, session);
  if (!standing.ok()) return status;
  v1::GetSessionResponse detail;
  ToProto(*standing, kMaxDetailRanges, &detail);
  absl::Status detailed = status;
  detailed.SetPayload(kSessionType, absl::Cord(detail.SerializeAsString()));
  return detailed;
}

grpc::ServerUnaryReactor* IngestService::AbandonCrash(grpc::CallbackServerContext* context,
                                                      const v1::AbandonCrashRequest* request,
                                                      v1::AbandonCrashResponse* response) {
  return RunUnary(
      context, rim_, "AbandonCrash",
      [this, context, request]() -> absl::Status {
        ASSIGN_OR_RETURN(const DeviceCaller caller, DeviceCallerOf(*context));
        return ingestor_->Abandon(caller, request->session());
      },
      CallOwnerOf(*context));
}

}  // namespace corefleet

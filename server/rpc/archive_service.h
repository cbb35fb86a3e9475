#ifndef COREFLEET_SERVER_RPC_ARCHIVE_SERVICE_H_
#define COREFLEET_SERVER_RPC_ARCHIVE_SERVICE_H_

#include "corefleet/v1/archive.grpc.pb.h"
#include "server/archive/archive.h"
#include "server/rpc/archive_access.h"
#include "server/rpc/rim.h"

namespace corefleet {

// CrashArchive (proto/corefleet/v1/archive.proto) over an Archive, for those whom `access` lets in. Whoever
// reads memory leaves a line in the log: who, which crash, what. All must outlive every call.
class ArchiveService final : public v1::CrashArchive::CallbackService {
 public:
  ArchiveService(Rim* rim, Archive* archive, const ArchiveAccess* access)
      : rim_(rim), archive_(archive), access_(access) {}

  grpc::ServerUnaryReactor* ListCrashes(grpc::CallbackServerContext* context,
                                        const v1::ListCrashesRequest* request,
                                        v1::ListCrashesResponse* response) override;
  grpc::ServerUnaryReactor* GetCrash(grpc::CallbackServerContext* context, const v1::GetCrashRequest* request,
                                     v1::Crash* response) override;
  grpc::ServerWriteReactor<v1::GetLogResponse>* GetLog(grpc::CallbackServerContext* context,
                                                       const v1::GetLogRequest* request) override;
  grpc::ServerWriteReactor<v1::ReadArtifactResponse>* ReadArtifact(
      grpc::CallbackServerContext* context, const v1::ReadArtifactRequest* request) override;
  grpc::ServerWriteReactor<v1::ReadArtifactResponse>* ReadRegion(
      grpc::CallbackServerContext* context, const v1::ReadRegionRequest* request) override;
  grpc::ServerUnaryReactor* ReadMemory(grpc::CallbackServerContext* context,
                                       const v1::ReadMemoryRequest* request,
                                       v1::ReadMemoryResponse* response) override;

 private:
  Rim* const rim_;
  Archive* const archive_;
  const ArchiveAccess* const access_;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_RPC_ARCHIVE_SERVICE_H_

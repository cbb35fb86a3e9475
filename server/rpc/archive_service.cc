#include "server/rpc/archive_service.h"

#include <functional>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "core/bytes/escape.h"
#include "proto/convert/facts_to_proto.h"
#include "server/rpc/byte_stream.h"
#include "server/rpc/convert.h"
#include "server/rpc/stream_reactor.h"

namespace corefleet {
namespace {

// A message of log records ends at whichever comes first.
constexpr int kLogRecords = 256;
constexpr size_t kLogBytes = 256 * 1024;

// What a client may get in one message: its own default limit is 4 MiB.
constexpr size_t kListBytes = 3 << 20;

// Of a region's name as it was asked for, in a log line.
constexpr size_t kLoggedName = 128;

absl::StatusOr<ArtifactKind> KindOf(const std::string& name) {
  if (name.empty()) return ArtifactKind::kCore;
  if (const auto kind = ParseArtifactKind(name); kind) return *kind;
  return absl::InvalidArgumentError(
      absl::StrCat("there is no artifact ", Utf8OrHex(name.substr(0, 64)),
                   "; there are core, zero, concat, raw, vmcoreinfo, config, log, kdump"));
}

// Who wants to read memory, as it is known when the call comes in; the call's context may be gone later.
struct Reader {
  static Reader Of(const grpc::CallbackServerContext& context, const ArchiveAccess& access,
                   absl::string_view method) {
    return {.caller = access.Admit(context, method), .peer = context.peer()};
  }
  // The line by which it is known afterwards who has seen which device's memory. `caller` must be OK.
  void Leaves(const CrashId& crash, absl::string_view what) const {
    Log(LogLevel::kInfo, "memory read",
        {{"who", caller->name},
         {"role", std::string(EngineerRoleName(caller->role))},
         {"crash", crash.ToString()},
         {"what", std::string(what)},
         {"peer", peer}});
  }

  absl::StatusOr<EngineerCaller> caller;
  std::string peer;
};

// Sends a source that `open` finds at the first step, on a worker.
grpc::ServerWriteReactor<v1::ReadArtifactResponse>* SendBytes(
    grpc::CallbackServerContext* context, Rim* rim, absl::string_view method,
    std::function<absl::StatusOr<std::shared_ptr<const ByteSource>>()> open, uint64_t offset,
    uint64_t length) {
  return StreamReactor<v1::ReadArtifactResponse>::Start(
      context, rim, method,
      [open = std::move(open), offset, length, stream = std::optional<ByteStream>()](
          v1::ReadArtifactResponse* response) mutable -> absl::StatusOr<bool> {
        if (!stream) {
          ASSIGN_OR_RETURN(auto source, open());
          ASSIGN_OR_RETURN(stream, ByteStream::Start(std::move(source), offset, length));
        }
        return stream->Next(response);
      });
}

// Copies records of `log`, from `next` on, into a message until it is full. Gives the first that is left.
size_t FillLog(const KernelLog& log, size_t next, v1::GetLogResponse* response) {
  size_t bytes = 0;
  while (next < log.records.size() && response->records_size() < kLogRecords && bytes < kLogBytes) {
    const LogRecord& record = log.records[next++];
    AppendRecord(record, response);
    bytes += record.text.size();
  }
  return next;
}

}  // namespace

grpc::ServerUnaryReactor* ArchiveService::ListCrashes(grpc::CallbackServerContext* context,
                                                      const v1::ListCrashesRequest* request,
                                                      v1::ListCrashesResponse* response) {
  return RunUnary(context, rim_, "ListCrashes", [this, context, request, response]() -> absl::Status {
    RETURN_IF_ERROR(access_->Admit(*context, "ListCrashes").status());
    ASSIGN_OR_RETURN(const CrashFilter filter, FromProto(request->filter()));
    ASSIGN_OR_RETURN(const ListedCrashes listed,
                     archive_->List(filter, request->page_size(), request->page_token()));
    size_t bytes = 0;
    for (const StoredCrash& crash : listed.crashes) {
      v1::Crash* added = response->add_crashes();
      ToProto(crash, Detail::kSummary, added);
      bytes += added->ByteSizeLong();
      // A page may be shorter than asked for: hostile texts must not make one that no client takes.
      if (bytes > kListBytes && &crash != &listed.crashes.back()) {
        response->set_next_page_token(archive_->TokenAfter(filter, crash.id));
        return absl::OkStatus();
      }
    }
    response->set_next_page_token(listed.next_page_token);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ArchiveService::GetCrash(grpc::CallbackServerContext* context,
                                                   const v1::GetCrashRequest* request, v1::Crash* response) {
  return RunUnary(context, rim_, "GetCrash", [this, context, request, response]() -> absl::Status {
    RETURN_IF_ERROR(access_->Admit(*context, "GetCrash").status());
    ASSIGN_OR_RETURN(const StoredCrash crash, archive_->Get(request->id()));
    ToProto(crash, Detail::kEverything, response);
    return absl::OkStatus();
  });
}

grpc::ServerWriteReactor<v1::GetLogResponse>* ArchiveService::GetLog(grpc::CallbackServerContext* context,
                                                                     const v1::GetLogRequest* request) {
  return StreamReactor<v1::GetLogResponse>::Start(
      context, rim_, "GetLog",
      [this, caller = access_->Admit(*context, "GetLog"), id = request->id(),
       log = std::shared_ptr<const KernelLog>(),
       next = size_t{0}](v1::GetLogResponse* response) mutable -> absl::StatusOr<bool> {
        RETURN_IF_ERROR(caller.status());
        if (log == nullptr) {
          ASSIGN_OR_RETURN(log, archive_->Log(id));
        }
        if (next == log->records.size()) return false;
        next = FillLog(*log, next, response);
        return true;
      });
}

grpc::ServerWriteReactor<v1::ReadArtifactResponse>* ArchiveService::ReadArtifact(
    grpc::CallbackServerContext* context, const v1::ReadArtifactRequest* request) {
  const auto open = [this, reader = Reader::Of(*context, *access_, "ReadArtifact"), id = request->id(),
                     name = request->artifact()]() -> absl::StatusOr<std::shared_ptr<const ByteSource>> {
    RETURN_IF_ERROR(reader.caller.status());
    ASSIGN_OR_RETURN(const ArtifactKind kind, KindOf(name));
    RETURN_IF_ERROR(DemandRole(*reader.caller, RoleToRead(kind), ArtifactName(kind)));
    ASSIGN_OR_RETURN(const CrashId crash, archive_->Resolve(id));
    if (RoleToRead(kind) > EngineerRole::kViewer) reader.Leaves(crash, ArtifactName(kind));
    return archive_->Artifact(crash.ToString(), kind);
  };
  return SendBytes(context, rim_, "ReadArtifact", open, request->offset(), request->length());
}

grpc::ServerWriteReactor<v1::ReadArtifactResponse>* ArchiveService::ReadRegion(
    grpc::CallbackServerContext* context, const v1::ReadRegionRequest* request) {
  const auto open = [this, reader = Reader::Of(*context, *access_, "ReadRegion"), id = request->id(),
                     region = request->region()]() -> absl::StatusOr<std::shared_ptr<const ByteSource>> {
    RETURN_IF_ERROR(reader.caller.status());
    ASSIGN_OR_RETURN(const CrashId crash, archive_->Resolve(id));
    reader.Leaves(crash, absl::StrCat("region ", region.substr(0, kLoggedName)));
    return archive_->Region(crash.ToString(), region);
  };
  return SendBytes(context, rim_, "ReadRegion", open, request->offset(), request->length());
}

grpc::ServerUnaryReactor* ArchiveService::ReadMemory(grpc::CallbackServerContext* context,
                                                     const v1::ReadMemoryRequest* request,
                                                     v1::ReadMemoryResponse* response) {
  return RunUnary(context, rim_, "ReadMemory", [this, context, request, response]() -> absl::Status {
    const Reader reader = Reader::Of(*context, *access_, "ReadMemory");
    RETURN_IF_ERROR(reader.caller.status());
    ASSIGN_OR_RETURN(const CrashId crash, archive_->Resolve(request->id()));
    reader.Leaves(crash, absl::StrCat(request->length(), " bytes at ", request->physical() ? "physical " : "",
                                      "0x", absl::Hex(request->address())));
    const auto addresses = request->physical() ? Archive::Addresses::kPhysical : Archive::Addresses::kVirtual;
    ASSIGN_OR_RETURN(
        const std::vector<uint8_t> bytes,
        archive_->ReadMemory(crash.ToString(), addresses, request->address(), request->length()));
    response->set_data(bytes.data(), bytes.size());
    return absl::OkStatus();
  });
}

}  // namespace corefleet

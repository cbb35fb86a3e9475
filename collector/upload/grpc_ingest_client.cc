#include "collector/upload/grpc_ingest_client.h"

#include <utility>

#include "base/status_macros.h"
#include "collector/upload/grpc_chunk_stream.h"
#include "core/bytes/byte_view.h"

namespace corefleet {
namespace {

// gRPC's and Abseil's codes are the same numbers.
absl::Status FromGrpc(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

void FillRegion(const ManifestRegion& from, v1::ManifestRegion* to) {
  to->set_kind(static_cast<v1::RegionKind>(from.kind));
  to->set_file_name(from.file_name);
  to->set_name(from.name);
  if (from.id) to->set_id(*from.id);
  if (from.paddr) to->set_paddr(*from.paddr);
  if (from.table_size) to->set_table_size(*from.table_size);
  to->set_size(from.size);
  to->set_root(std::string(TextOf(ByteView(from.root))));
}

}  // namespace

GrpcIngestClient::GrpcIngestClient(std::shared_ptr<grpc::Channel> channel, const Options& options,
                                   Clock* clock)
    : stub_(v1::CrashIngest::NewStub(std::move(channel))), options_(options), clock_(clock) {}

void GrpcIngestClient::Limit(grpc::ClientContext* context) const {
  context->set_deadline(absl::ToChronoTime(clock_->Now() + options_.call_timeout));
}

absl::StatusOr<BegunSession> GrpcIngestClient::Begin(const DeviceId& device, const Manifest& manifest,
                                                     const std::string& note) {
  v1::BeginCrashRequest request;
  request.set_device(device.value());
  request.set_note(note);
  for (const ManifestRegion& region : manifest.regions) FillRegion(region, request.add_regions());
  v1::BeginCrashResponse response;
  grpc::ClientContext context;
  Limit(&context);
  RETURN_IF_ERROR(FromGrpc(stub_->BeginCrash(&context, request, &response)));
  // The grain is part of the digests; a server with another one cannot be spoken to.
  if (response.chunk_bytes() != 0 && response.chunk_bytes() != kChunkBytes) {
    return absl::UnimplementedError("the server wants chunks of another size; it needs a newer client");
  }
  return BegunSession{.session = SessionId(response.session()),
                      .progress = {.complete = response.state() == v1::BeginCrashResponse::COMPLETE,
                                   .crash = response.crash(),
                                   .missing = RangesFromProto(response.missing())},
                      .max_inflight_bytes = response.max_inflight_bytes()};
}

absl::StatusOr<SessionProgress> GrpcIngestClient::Progress(const SessionId& session) {
  v1::GetSessionRequest request;
  request.set_session(session.value());
  v1::GetSessionResponse response;
  grpc::ClientContext context;
  Limit(&context);
  RETURN_IF_ERROR(FromGrpc(stub_->GetSession(&context, request, &response)));
  return SessionProgress{.complete = response.state() == v1::BeginCrashResponse::COMPLETE,
                         .crash = response.crash(),
                         .missing = RangesFromProto(response.missing())};
}

std::unique_ptr<ChunkStream> GrpcIngestClient::PutChunks(const SessionId& session) {
  return std::make_unique<GrpcChunkStream>(stub_.get(), session, options_.stall_timeout, clock_);
}

absl::StatusOr<StoredReceipt> GrpcIngestClient::Finish(const SessionId& session) {
  v1::FinishCrashRequest request;
  request.set_session(session.value());
  v1::FinishCrashResponse response;
  grpc::ClientContext context;
  Limit(&context);
  RETURN_IF_ERROR(FromGrpc(stub_->FinishCrash(&context, request, &response)));
  return StoredReceipt{.crash = response.crash(), .already_stored = response.already_stored()};
}

absl::Status GrpcIngestClient::Abandon(const SessionId& session) {
  v1::AbandonCrashRequest request;
  request.set_session(session.value());
  v1::AbandonCrashResponse response;
  grpc::ClientContext context;
  Limit(&context);
  return FromGrpc(stub_->AbandonCrash(&context, request, &response));
}

}  // namespace corefleet

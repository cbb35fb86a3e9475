#include "collector/upload/grpc_ingest_client.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "collector/upload/grpc_chunk_stream.h"
#include "collector/upload/grpc_status.h"
#include "core/bytes/byte_view.h"
#include "core/bytes/escape.h"

namespace corefleet {
namespace {

constexpr size_t kMaxHintBytes = 256;
constexpr int kMaxLossReasons = 32;

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

// proto CrashHints: strings are cut, and must be UTF-8 to travel at all.
std::string Hint(const std::string& text) {
  return EscapeForTerminal(absl::string_view(text).substr(0, kMaxHintBytes)).substr(0, kMaxHintBytes);
}

void FillHints(const CrashClues& from, v1::CrashHints* to) {
  to->set_build_id(Hint(from.build_id));
  to->set_kernel_release(Hint(from.kernel_release));
  to->set_panic(Hint(from.panic));
  to->set_os_version(Hint(from.os_version));
  to->set_source(Hint(from.source));
  to->set_priority(from.priority);
  if (from.captured_at) to->mutable_captured_at()->set_seconds(absl::ToUnixSeconds(*from.captured_at));
}

void FillAccount(const DeviceAccount& from, v1::DeviceAccount* to) {
  to->set_epoch(from.epoch);
  to->set_spooled(from.spooled);
  for (const auto& [reason, count] : from.lost) {
    if (count == 0 || to->lost_size() == kMaxLossReasons) continue;
    v1::DeviceLoss* const loss = to->add_lost();
    loss->set_reason(reason);
    loss->set_count(count);
  }
}

Want WantFrom(v1::Want want) {
  if (want == v1::WANT_LOG_ONLY) return Want::kLogOnly;
  return want == v1::WANT_NONE ? Want::kNone : Want::kAll;
}

absl::Duration AskAgainFrom(const v1::BeginCrashResponse& response) {
  const absl::Duration said = absl::Seconds(response.ask_again().seconds());
  return std::clamp(said, absl::ZeroDuration(), kMaxAskAgain);
}

SessionProgress ProgressFrom(v1::BeginCrashResponse::State state, const std::string& crash,
                             const google::protobuf::RepeatedPtrField<v1::ChunkRange>& missing) {
  return {.complete = state == v1::BeginCrashResponse::COMPLETE,
          .crash = EscapeForTerminal(absl::string_view(crash).substr(0, kMaxHintBytes)),
          .missing = RangesFromProto(missing)};
}

}  // namespace

GrpcIngestClient::GrpcIngestClient(std::shared_ptr<grpc::Channel> channel, const Options& options,
                                   Clock* clock)
    : stub_(v1::CrashIngest::NewStub(std::move(channel))), options_(options), clock_(clock) {}

template <typename Method, typename Request, typename Response>
absl::Status GrpcIngestClient::Call(Method method, const Request& request, Response* response) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(clock_->Now() + options_.call_timeout));
  const CallCancellation::Scope scope(&calls_, &context);
  return StatusOfCall((stub_.get()->*method)(&context, request, response), context);
}

absl::StatusOr<BegunSession> GrpcIngestClient::Begin(const Introduction& crash) {
  v1::BeginCrashRequest request;
  request.set_device(crash.device.value());
  request.set_note(crash.note);
  for (const ManifestRegion& region : crash.manifest.regions) FillRegion(region, request.add_regions());
  if (crash.clues != CrashClues()) FillHints(crash.clues, request.mutable_hints());
  if (!crash.account.epoch.empty()) FillAccount(crash.account, request.mutable_account());
  v1::BeginCrashResponse response;
  RETURN_IF_ERROR(Call(&v1::CrashIngest::Stub::BeginCrash, request, &response));
  // The grain is part of the digests; a server with another one cannot be spoken to.
  if (response.chunk_bytes() != 0 && response.chunk_bytes() != kChunkBytes) {
    return absl::UnimplementedError("the server wants chunks of another size; it needs a newer client");
  }
  return BegunSession{.session = SessionId(response.session()),
                      .progress = ProgressFrom(response.state(), response.crash(), response.missing()),
                      .max_inflight_bytes = response.max_inflight_bytes(),
                      .want = WantFrom(response.want()),
                      .rule = Hint(response.rule()),
                      .weight = std::max(response.weight(), 1u),
                      .ask_again = AskAgainFrom(response)};
}

absl::StatusOr<SessionProgress> GrpcIngestClient::Progress(const SessionId& session) {
  v1::GetSessionRequest request;
  request.set_session(session.value());
  v1::GetSessionResponse response;
  RETURN_IF_ERROR(Call(&v1::CrashIngest::Stub::GetSession, request, &response));
  return ProgressFrom(response.state(), response.crash(), response.missing());
}

void GrpcIngestClient::Reconnect() {
  if (!options_.new_channel) return;
  if (std::shared_ptr<grpc::Channel> channel = options_.new_channel(); channel != nullptr) {
    stub_ = v1::CrashIngest::NewStub(std::move(channel));
  }
}

std::unique_ptr<ChunkStream> GrpcIngestClient::PutChunks(const SessionId& session) {
  return std::make_unique<GrpcChunkStream>(stub_.get(), session, options_.stall_timeout, clock_, &calls_);
}

absl::StatusOr<StoredReceipt> GrpcIngestClient::Finish(const SessionId& session) {
  v1::FinishCrashRequest request;
  request.set_session(session.value());
  v1::FinishCrashResponse response;
  RETURN_IF_ERROR(Call(&v1::CrashIngest::Stub::FinishCrash, request, &response));
  return StoredReceipt{.crash = response.crash(), .already_stored = response.already_stored()};
}

absl::Status GrpcIngestClient::Abandon(const SessionId& session) {
  v1::AbandonCrashRequest request;
  request.set_session(session.value());
  v1::AbandonCrashResponse response;
  return Call(&v1::CrashIngest::Stub::AbandonCrash, request, &response);
}

}  // namespace corefleet

#include "tests/bench/load/device.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/status_macros.h"
#include "google/rpc/error_details.pb.h"

namespace corefleet {
namespace {

constexpr absl::Duration kCallTimeout = absl::Seconds(60);
constexpr absl::Duration kFirstBackoff = absl::Milliseconds(50);
constexpr absl::Duration kLastBackoff = absl::Seconds(2);

absl::StatusOr<std::string> ReadPem(const std::string& path) {
  if (path.empty()) return std::string();
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return absl::InvalidArgumentError(absl::StrCat("cannot read ", path));
  return std::string(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeCredentials(const std::string& ca_file,
                                                                          const std::string& certificate_file,
                                                                          const std::string& key_file) {
  if (ca_file.empty()) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  ASSIGN_OR_RETURN(options.pem_root_certs, ReadPem(ca_file));
  ASSIGN_OR_RETURN(options.pem_cert_chain, ReadPem(certificate_file));
  ASSIGN_OR_RETURN(options.pem_private_key, ReadPem(key_file));
  return grpc::SslCredentials(options);
}

std::shared_ptr<grpc::Channel> MakeConnection(const Connection& connection) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 10000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  if (!connection.tls_name.empty()) arguments.SetSslTargetNameOverride(connection.tls_name);
  return grpc::CreateCustomChannel(connection.address, connection.credentials, arguments);
}

// One crash on its way.
struct Device::Journey {
  Journey(const StampedCrash& what, uint64_t crash_number)
      : crash(what), number(crash_number), progress(what) {}

  const StampedCrash& crash;
  const uint64_t number;
  ChunkProgress progress;
  std::string session;
  uint64_t max_inflight_bytes = 0;
  bool broken_before = false;
  bool finish_tried = false;
  std::string content;  // only with a ledger
  UploadOutcome outcome;
};

Device::Device(Options options, Clock* clock, Ledger* ledger)
    : options_(std::move(options)), clock_(clock), ledger_(ledger) {
  Connect();
}

void Device::Connect() {
  channel_ = MakeConnection(options_.connection);
  stub_ = v1::CrashIngest::NewStub(channel_);
}

void Device::WaitUntilConnected() {
  channel_->WaitForConnected(absl::ToChronoTime(clock_->Now() + kCallTimeout));
}

std::unique_ptr<grpc::ClientContext> Device::Context() const {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(absl::ToChronoTime(clock_->Now() + kCallTimeout));
  return context;
}

UploadOutcome Device::Upload(const StampedCrash& crash, uint64_t crash_number) {
  if (options_.reconnect) Connect();
  Journey journey(crash, crash_number);
  journey.outcome.raw_bytes = crash.body->raw_bytes();
  if (ledger_ != nullptr) journey.content = crash.Content();
  const absl::Time began = clock_->Now();
  for (;;) {
    const grpc::Status status = Attempt(&journey);
    if (status.ok() || !Recover(status, &journey)) break;
  }
  journey.outcome.took = clock_->Now() - began;
  journey.outcome.sent_bytes = journey.progress.sent_bytes;
  return std::move(journey.outcome);
}

grpc::Status Device::Attempt(Journey* journey) {
  const grpc::Status learned = journey->session.empty() ? Begin(journey) : Learn(journey);
  if (!learned.ok() || !journey->outcome.crash.empty()) return learned;
  return SendAndFinish(journey);
}

grpc::Status Device::Begin(Journey* journey) {
  v1::BeginCrashRequest request = journey->crash.announcement;
  if (options_.name_devices) request.set_device(absl::StrCat("load-", journey->number % options_.fleet));
  v1::BeginCrashResponse response;
  const grpc::Status status = stub_->BeginCrash(Context().get(), request, &response);
  if (!status.ok()) return status;
  if (response.state() == v1::BeginCrashResponse::COMPLETE) {
    Stored(journey, response.crash(), !journey->finish_tried);
    return status;
  }
  journey->session = response.session();
  journey->max_inflight_bytes = response.max_inflight_bytes();
  journey->progress.SetMissing(response.missing());
  if (ledger_ != nullptr) ledger_->Begun(journey->session, journey->content);
  return status;
}

grpc::Status Device::Learn(Journey* journey) {
  v1::GetSessionRequest request;
  request.set_session(journey->session);
  v1::GetSessionResponse response;
  const grpc::Status status = stub_->GetSession(Context().get(), request, &response);
  if (!status.ok()) return status;
  if (response.state() == v1::BeginCrashResponse::COMPLETE) {
    Stored(journey, response.crash(), !journey->finish_tried);
  } else {
    journey->progress.SetMissing(response.missing());
  }
  return status;
}

grpc::Status Device::SendAndFinish(Journey* journey) {
  v1::FinishCrashResponse finished;
  if (!journey->progress.all_durable()) {
    ChunkSender::OnAck on_ack;
    if (ledger_ != nullptr) {
      on_ack = [this, journey](const v1::ChunkRange& range) {
        ledger_->Acknowledged(journey->session, range);
      };
    }
    journey->finish_tried |= options_.habits.finish_in_stream;
    ChunkSender sender(channel_.get(), journey->crash, journey->session, journey->max_inflight_bytes,
                       options_.habits, journey->broken_before, clock_, std::move(on_ack));
    const grpc::Status status = sender.Send(&journey->progress, &finished);
    if (finished.crash().empty() && (!status.ok() || !journey->progress.all_durable())) {
      journey->broken_before = true;
      return status.ok() ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "the stream ended early") : status;
    }
  }
  if (finished.crash().empty()) {
    v1::FinishCrashRequest request;
    request.set_session(journey->session);
    journey->finish_tried = true;
    const grpc::Status status = stub_->FinishCrash(Context().get(), request, &finished);
    if (!status.ok()) return status;
  }
  Stored(journey, finished.crash(), finished.already_stored() && !journey->finish_tried);
  return grpc::Status::OK;
}

void Device::Stored(Journey* journey, const std::string& crash, bool before) {
  journey->outcome.crash = crash;
  journey->outcome.kind = before ? UploadOutcome::Kind::kAlreadyStored : UploadOutcome::Kind::kStored;
  if (ledger_ != nullptr) ledger_->Finished(journey->session, journey->content, crash);
}

bool Device::Recover(const grpc::Status& status, Journey* journey) {
  UploadOutcome& outcome = journey->outcome;
  const RefusedOffer refusal = ReadRefusal(status);
  outcome.reason = refusal.reason.empty() ? CodeName(status.error_code()) : refusal.reason;
  outcome.retry_delay = refusal.delay;
  outcome.delay_stated = refusal.delay_stated;
  if (status.error_code() == grpc::StatusCode::INVALID_ARGUMENT ||
      status.error_code() == grpc::StatusCode::PERMISSION_DENIED) {
    outcome.kind = UploadOutcome::Kind::kRejected;
    return false;
  }
  // Before there is a session, whoever hands out the work decides when to come back.
  if (journey->session.empty() && status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) {
    outcome.kind = UploadOutcome::Kind::kRefused;
    return false;
  }
  if (++outcome.breaks > options_.max_breaks) return false;
  if (status.error_code() == grpc::StatusCode::NOT_FOUND) journey->session.clear();
  absl::Duration wait = std::min(kLastBackoff, kFirstBackoff * (1 << std::min(outcome.breaks, 6)));
  // A link that a proxy cuts is no server in trouble: what came through before it broke counts as progress.
  if (status.error_code() == grpc::StatusCode::CANCELLED || outcome.breaks > 3) wait = kFirstBackoff;
  clock_->Sleep(std::max(refusal.delay, wait));
  return true;
}

RefusedOffer ReadRefusal(const grpc::Status& status) {
  RefusedOffer refusal;
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return refusal;
  for (const google::protobuf::Any& any : details.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::RetryInfo retry;
    if (any.UnpackTo(&info)) {
      refusal.reason = info.reason();
    } else if (any.UnpackTo(&retry)) {
      refusal.delay_stated = true;
      refusal.delay =
          absl::Seconds(retry.retry_delay().seconds()) + absl::Nanoseconds(retry.retry_delay().nanos());
    }
  }
  return refusal;
}

const char* CodeName(grpc::StatusCode code) {
  static constexpr const char* kNames[] = {
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  const auto index = static_cast<size_t>(code);
  return index < std::size(kNames) ? kNames[index] : "OTHER";
}

}  // namespace corefleet

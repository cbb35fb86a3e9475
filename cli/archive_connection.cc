#include "cli/archive_connection.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "collector/upload/channel.h"

namespace corefleet {
namespace {

constexpr absl::Duration kConnectTimeout = absl::Seconds(4);
constexpr absl::Duration kCallTimeout = absl::Seconds(60);

}  // namespace

absl::Status FromGrpc(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

absl::Status NobodyAnswers(const std::string& address, const ChannelSecurity& security,
                           absl::string_view option) {
  const std::string why = WhyNoConnection(address, security, kConnectTimeout);
  if (!why.empty()) return absl::UnavailableError(absl::StrCat("no connection to ", address, ": ", why));
  return absl::UnavailableError(absl::StrCat("nobody answers at ", address, "; --", option,
                                             " HOST:PORT or COREFLEET_", absl::AsciiStrToUpper(option),
                                             " names another address"));
}

absl::StatusOr<ArchiveConnection> ArchiveConnection::To(const Surroundings& where) {
  ASSIGN_OR_RETURN(std::shared_ptr<grpc::Channel> channel, MakeChannel(where.server, where.server_security));
  if (!IsReachable(channel.get(), where.clock, kConnectTimeout)) {
    return NobodyAnswers(where.server, where.server_security, "server");
  }
  return ArchiveConnection(v1::CrashArchive::NewStub(std::move(channel)), where.clock);
}

void ArchiveConnection::Limit(grpc::ClientContext* context) const {
  context->set_deadline(absl::ToChronoTime(clock_->Now() + kCallTimeout));
}

absl::StatusOr<v1::Crash> ArchiveConnection::GetCrash(const std::string& id) {
  v1::GetCrashRequest request;
  request.set_id(id);
  v1::Crash crash;
  grpc::ClientContext context;
  Limit(&context);
  RETURN_IF_ERROR(FromGrpc(stub_->GetCrash(&context, request, &crash)));
  return crash;
}

absl::StatusOr<v1::ListCrashesResponse> ArchiveConnection::ListCrashes(
    const v1::ListCrashesRequest& request) {
  v1::ListCrashesResponse response;
  grpc::ClientContext context;
  Limit(&context);
  RETURN_IF_ERROR(FromGrpc(stub_->ListCrashes(&context, request, &response)));
  return response;
}

absl::StatusOr<v1::ReadMemoryResponse> ArchiveConnection::ReadMemory(const v1::ReadMemoryRequest& request) {
  v1::ReadMemoryResponse response;
  grpc::ClientContext context;
  Limit(&context);
  RETURN_IF_ERROR(FromGrpc(stub_->ReadMemory(&context, request, &response)));
  return response;
}

absl::StatusOr<std::vector<v1::GetLogResponse>> ArchiveConnection::GetLog(const std::string& id) {
  v1::GetLogRequest request;
  request.set_id(id);
  grpc::ClientContext context;
  Limit(&context);
  const auto stream = stub_->GetLog(&context, request);
  std::vector<v1::GetLogResponse> answers(1);
  while (stream->Read(&answers.back())) answers.emplace_back();
  answers.pop_back();
  RETURN_IF_ERROR(FromGrpc(stream->Finish()));
  return answers;
}

}  // namespace corefleet

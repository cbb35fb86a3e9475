#include "server/rpc/rpc_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>

#include <chrono>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace corefleet {
namespace {

// NAT boxes of mobile networks forget a silent connection within a minute, so devices may ping often.
constexpr int kPingEveryMs = 30'000;
constexpr int kPingTimeoutMs = 10'000;
constexpr int kMinClientPingMs = 20'000;
constexpr int kHandshakeTimeoutMs = 10'000;
constexpr int kAgeGraceMs = 300'000;

// gRPC keeps these for the process; they apply to every builder that comes after.
void EnableHealthAndReflection() {
  static const bool once = [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    return true;
  }();
  (void)once;
}

void Limit(const RpcLimits& limits, grpc::ServerBuilder* builder) {
  builder->SetMaxReceiveMessageSize(limits.max_message_bytes);
  builder->SetResourceQuota(grpc::ResourceQuota().Resize(limits.buffer_bytes));
  builder->AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, limits.max_streams_per_connection);
  builder->AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, limits.max_metadata_bytes);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kPingEveryMs);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPingTimeoutMs);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 0);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kMinClientPingMs);
  builder->AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeTimeoutMs);
  // Two servers on one port would each get some of the devices.
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  if (limits.max_idle != absl::InfiniteDuration()) {
    builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS,
                                static_cast<int>(absl::ToInt64Milliseconds(limits.max_idle)));
  }
  if (limits.max_age != absl::InfiniteDuration()) {
    builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS,
                                static_cast<int>(absl::ToInt64Milliseconds(limits.max_age)));
    builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, kAgeGraceMs);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<RpcServer>> RpcServer::Start(const std::string& address,
                                                            grpc::Service* service,
                                                            const std::string& service_name,
                                                            const RpcLimits& limits) {
  EnableHealthAndReflection();
  grpc::ServerBuilder builder;
  Limit(limits, &builder);
  builder.RegisterService(service);
  int port = 0;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", address, " (is something else there?)"));
  }
  const std::string host = address.substr(0, address.rfind(':'));
  std::unique_ptr<RpcServer> result(
      new RpcServer(std::move(server), service_name, absl::StrCat(host, ":", port)));
  result->SetServing(false);
  return result;
}

RpcServer::RpcServer(std::unique_ptr<grpc::Server> server, std::string service_name, std::string address)
    : server_(std::move(server)), service_name_(std::move(service_name)), address_(std::move(address)) {}

RpcServer::~RpcServer() { Stop(absl::ZeroDuration()); }

void RpcServer::SetServing(bool serving) {
  grpc::HealthCheckServiceInterface* health = server_->GetHealthCheckService();
  health->SetServingStatus("", serving);
  health->SetServingStatus(service_name_, serving);
}

void RpcServer::Stop(absl::Duration grace) {
  const std::chrono::system_clock::duration wait = absl::ToChronoMilliseconds(grace);
  server_->Shutdown(std::chrono::system_clock::now() + wait);
  server_->Wait();
}

}  // namespace corefleet

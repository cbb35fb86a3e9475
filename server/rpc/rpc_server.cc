#include "server/rpc/rpc_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/resource_quota.h>

#include <chrono>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace corefleet {
namespace {

// NAT boxes of mobile networks forget a silent connection within a minute, so devices may ping often.
constexpr int kPingEveryMs = 30'000;
constexpr int kPingTimeoutMs = 10'000;
constexpr int kMinClientPingMs = 20'000;
constexpr int kHandshakeTimeoutMs = 10'000;
constexpr int kAgeGraceMs = 300'000;
constexpr size_t kBufferBytes = 256 << 20;

// Reflection is for all servers of a process, or for none. A port with this does without.
class NoReflection final : public grpc::ServerBuilderOption {
 public:
  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    std::erase_if(*plugins, [](const auto& plugin) { return plugin->name() == "proto_server_reflection"; });
  }
};

// "[::1]:80" -> "::1".
std::string HostOf(const std::string& address) {
  const std::string host = address.substr(0, address.rfind(':'));
  return host.size() > 2 && host.front() == '[' ? host.substr(1, host.size() - 2) : host;
}

std::shared_ptr<grpc::ServerCredentials> CredentialsOf(const RpcPort& port) {
  if (port.tls == nullptr) return grpc::InsecureServerCredentials();
  return MakeTlsCredentials(port.tls, port.clients);
}

// Passes connections on to gRPC.
Acceptor::Options Handing(std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> to,
                          int max_descriptor, std::function<void(bool)> counted,
                          std::shared_ptr<std::atomic<int64_t>> refused) {
  if (!counted) counted = [](bool) {};
  std::shared_ptr<grpc::experimental::ExternalConnectionAcceptor> grpc_side = std::move(to);
  const auto accepted = [grpc_side, counted](int fd) {
    counted(true);
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
    connection.fd = fd;
    grpc_side->HandleNewConnection(&connection);
  };
  return {.max_descriptor = max_descriptor, .accepted = accepted, .refused = [counted, refused] {
            refused->fetch_add(1);
            counted(false);
          }};
}

void Limit(const RpcLimits& limits, grpc::ServerBuilder* builder) {
  builder->SetMaxReceiveMessageSize(limits.max_message_bytes);
  builder->SetResourceQuota(limits.buffers != nullptr ? limits.buffers->quota()
                                                      : grpc::ResourceQuota().Resize(kBufferBytes));
  builder->AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, limits.max_streams_per_connection);
  builder->AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, limits.max_metadata_bytes);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kPingEveryMs);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPingTimeoutMs);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 0);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kMinClientPingMs);
  builder->AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeTimeoutMs);
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
                                                            const RpcLimits& limits, const RpcPort& port) {
  int port_number = 0;
  if (!absl::SimpleAtoi(absl::string_view(address).substr(address.rfind(':') + 1), &port_number)) {
    return absl::InvalidArgumentError(absl::StrCat(address, " is not host:port"));
  }
  ASSIGN_OR_RETURN(auto acceptor, Acceptor::Listen(HostOf(address), port_number));
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();  // once, however often it is called
  grpc::ServerBuilder builder;
  Limit(limits, &builder);
  if (!port.reflection) builder.SetOption(std::make_unique<NoReflection>());
  builder.RegisterService(service);
  auto grpc_side = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, CredentialsOf(port));
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return absl::UnavailableError(absl::StrCat("gRPC does not serve at ", address));
  auto refused = std::make_shared<std::atomic<int64_t>>(0);
  acceptor->Start(Handing(std::move(grpc_side), limits.max_descriptor, port.on_connection, refused));
  const std::string at = absl::StrCat(address.substr(0, address.rfind(':')), ":", acceptor->port());
  std::unique_ptr<RpcServer> result(
      new RpcServer(std::move(acceptor), std::move(server), service_name, at, std::move(refused)));
  result->SetServing(false);
  return result;
}

RpcServer::RpcServer(std::unique_ptr<Acceptor> acceptor, std::unique_ptr<grpc::Server> server,
                     std::string service_name, std::string address,
                     std::shared_ptr<const std::atomic<int64_t>> refused)
    : refused_(std::move(refused)),
      server_(std::move(server)),
      acceptor_(std::move(acceptor)),
      service_name_(std::move(service_name)),
      address_(std::move(address)) {}

RpcServer::~RpcServer() { Stop(absl::ZeroDuration()); }

void RpcServer::SetServing(bool serving) {
  grpc::HealthCheckServiceInterface* health = server_->GetHealthCheckService();
  health->SetServingStatus("", serving);
  health->SetServingStatus(service_name_, serving);
}

void RpcServer::Stop(absl::Duration grace) {
  acceptor_->Stop();
  const std::chrono::system_clock::duration wait = absl::ToChronoMilliseconds(grace);
  server_->Shutdown(std::chrono::system_clock::now() + wait);
  server_->Wait();
}

}  // namespace corefleet

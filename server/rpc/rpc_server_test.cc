#include "server/rpc/rpc_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "absl/strings/numbers.h"
#include "absl/synchronization/mutex.h"
#include "corefleet/v1/ingest.grpc.pb.h"
#include "server/rpc/health_probe.h"
#include "server/rpc/peer.h"
#include "server/watchdog/own_certificate.h"
#include "tests/support/test_authority.h"

namespace corefleet {
namespace {

// Answers every GetSession with who asks, as its crash.
class WhoAmI final : public v1::CrashIngest::CallbackService {
 public:
  grpc::ServerUnaryReactor* GetSession(grpc::CallbackServerContext* context, const v1::GetSessionRequest*,
                                       v1::GetSessionResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    const auto caller = DeviceCallerOf(*context);
    const absl::StatusOr<DeviceId> device = caller.ok() ? caller->Speaking("") : caller.status();
    if (device.ok()) response->set_crash(device->value());
    reactor->Finish(grpc::Status(static_cast<grpc::StatusCode>(device.status().code()),
                                 std::string(device.status().message())));
    return reactor;
  }
};

class RpcServerTest : public testing::Test {
 protected:
  void Serve(const RpcPort& port, const RpcLimits& limits = {}) {
    auto server =
        RpcServer::Start("127.0.0.1:0", &service_, v1::CrashIngest::service_full_name(), limits, port);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  void ServeTls() {
    identity_ = std::make_shared<TlsIdentity>(Material(authority_.SignServer()));
    Serve({.tls = identity_});
  }
  TlsMaterial Material(const TestCertificate& own) const {
    return {.certificate_chain = own.certificate, .private_key = own.key, .client_roots = authority_.root()};
  }

  std::shared_ptr<grpc::Channel> Connect(const TestCertificate& own, const std::string& roots) const {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = roots;
    options.pem_cert_chain = own.certificate;
    options.pem_private_key = own.key;
    grpc::ChannelArguments alone;
    alone.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(server_->address(), grpc::SslCredentials(options), alone);
  }
  std::shared_ptr<grpc::Channel> Connect(const std::vector<std::string>& uris) const {
    return Connect(authority_.Sign({.uris = uris}), authority_.root());
  }
  static grpc::Status Ask(const std::shared_ptr<grpc::Channel>& channel, std::string* who = nullptr) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    v1::GetSessionResponse response;
    const grpc::Status status = v1::CrashIngest::NewStub(channel)->GetSession(&context, {}, &response);
    if (who != nullptr) *who = response.crash();
    return status;
  }
  static std::string Who(const std::shared_ptr<grpc::Channel>& channel) {
    std::string who;
    const grpc::Status status = Ask(channel, &who);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return who;
  }
  std::shared_ptr<grpc::Channel> ConnectPlain() const {
    grpc::ChannelArguments alone;
    alone.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(server_->address(), grpc::InsecureChannelCredentials(), alone);
  }
  // A connection that says nothing; -1 and errno if there is none.
  int Idle() const {
    int port = 0;
    EXPECT_TRUE(absl::SimpleAtoi(server_->address().substr(server_->address().rfind(':') + 1), &port));
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{.sin_family = AF_INET, .sin_port = htons(static_cast<uint16_t>(port))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0) return fd;
    if (fd >= 0) close(fd);
    return -1;
  }

  const TestAuthority authority_;
  WhoAmI service_;
  std::shared_ptr<TlsIdentity> identity_;
  std::unique_ptr<RpcServer> server_;
};

TEST_F(RpcServerTest, TheCertificateSaysWhoItIs) {
  ServeTls();
  EXPECT_EQ(Who(Connect({"corefleet:device:pixel-7"})), "pixel-7");
  EXPECT_EQ(Who(Connect({"spiffe://x/y", "corefleet:device:pixel-8"})), "pixel-8");
}

TEST_F(RpcServerTest, HostileCertificatesNameNobody) {
  ServeTls();
  const std::vector<std::vector<std::string>> hostile = {
      {},
      {"corefleet:engineer:ann"},
      {std::string("corefleet:device:a\0b", 20)},
      {std::string("corefleet:device:a\0", 19)},
      {"corefleet:device:a", "corefleet:device:b"},
      {"corefleet:device:" + std::string(129, 'x')},
      {"corefleet:device:a\r\n"},
  };
  for (const auto& uris : hostile) {
    const grpc::Status status = Ask(Connect(uris));
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED)
        << (uris.empty() ? "(none)" : uris[0].c_str()) << ": " << status.error_message();
  }
}

TEST_F(RpcServerTest, OtherRootsAndNoCertificateDoNotGetThrough) {
  ServeTls();
  const TestAuthority stranger;
  EXPECT_EQ(
      Ask(Connect(stranger.Sign({.uris = {"corefleet:device:pixel-7"}}), authority_.root())).error_code(),
      grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Ask(Connect(TestCertificate(), authority_.root())).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Ask(Connect(authority_.Sign({.uris = {"corefleet:device:a"},
                                         .not_after = absl::FromUnixSeconds(1'000'000'000)}),
                        authority_.root()))
                .error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Ask(ConnectPlain()).error_code(), grpc::StatusCode::UNAVAILABLE);
  // A client that believes another root does not believe this server.
  EXPECT_EQ(Ask(Connect(authority_.Sign({.uris = {"corefleet:device:a"}}), stranger.root())).error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

TEST_F(RpcServerTest, NewMaterialIsForNewConnections) {
  ServeTls();
  const auto before = Connect({"corefleet:device:pixel-7"});
  EXPECT_EQ(Who(before), "pixel-7");
  const TestAuthority next;
  const TestCertificate own = next.SignServer();
  identity_->Replace(
      {.certificate_chain = own.certificate, .private_key = own.key, .client_roots = next.root()});
  EXPECT_EQ(Who(before), "pixel-7") << "the connection that was there goes on";
  EXPECT_EQ(Who(Connect(next.Sign({.uris = {"corefleet:device:pixel-8"}}), next.root())), "pixel-8");
  EXPECT_EQ(Ask(Connect({"corefleet:device:pixel-7"})).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(RpcServerTest, MaterialThatGrpcRefusesChangesNothing) {
  ServeTls();
  identity_->Replace({.certificate_chain = "no", .private_key = "no", .client_roots = authority_.root()});
  EXPECT_EQ(Who(Connect({"corefleet:device:pixel-7"})), "pixel-7");
}

TEST_F(RpcServerTest, TheServerCanAskItselfAndNobodyElse) {
  const auto own = MakeOwnCertificate(Clock::Real()->Now());
  ASSERT_TRUE(own.ok()) << own.status();
  TlsMaterial material = Material(authority_.SignServer());
  material.client_roots += "\n" + own->certificate;
  identity_ = std::make_shared<TlsIdentity>(material);
  Serve({.tls = identity_});
  const HealthProbe probe{
      .address = server_->address(), .tls = true, .certificate = own->certificate, .key = own->key};
  const absl::Status answer = probe.Ask(Clock::Real(), absl::Seconds(30));
  EXPECT_TRUE(answer.ok()) << answer;
  EXPECT_EQ(Who(Connect({"corefleet:device:pixel-7"})), "pixel-7");
  // It opens the port and nothing behind it.
  EXPECT_EQ(Ask(Connect({.certificate = own->certificate, .key = own->key}, authority_.root())).error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
  const auto other = MakeOwnCertificate(Clock::Real()->Now());
  const HealthProbe stranger{
      .address = server_->address(), .tls = true, .certificate = other->certificate, .key = other->key};
  EXPECT_FALSE(stranger.Ask(Clock::Real(), absl::Seconds(30)).ok());
}

TEST_F(RpcServerTest, AProbeOfNothingIsAMiss) {
  Serve({});
  const HealthProbe probe{.address = server_->address()};
  EXPECT_TRUE(probe.Ask(Clock::Real(), absl::Seconds(30)).ok());
  server_.reset();
  EXPECT_FALSE(probe.Ask(Clock::Real(), absl::Seconds(30)).ok());
}

TEST_F(RpcServerTest, AConnectionAboveTheLineIsClosedAtOnce) {
  std::atomic<int> accepted{0};
  absl::Mutex mutex;
  bool refused = false;
  RpcLimits limits;
  limits.max_descriptor = 0;
  Serve({.on_connection =
             [&](bool taken) {
               accepted += taken;
               absl::MutexLock lock(&mutex);
               refused |= !taken;
             }},
        limits);
  const int fd = Idle();
  ASSERT_GE(fd, 0);
  char byte;
  EXPECT_LE(recv(fd, &byte, 1, 0), 0);
  close(fd);
  absl::MutexLock lock(&mutex);
  EXPECT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&refused), absl::Seconds(30)));
  EXPECT_EQ(accepted, 0);
}

// Few descriptors, until the end of the scope.
class FewDescriptors {
 public:
  explicit FewDescriptors(rlim_t limit) {
    getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit few = {.rlim_cur = limit, .rlim_max = before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &few);
  }
  ~FewDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_;
};

// CVE-2023-4785: gRPC's own acceptor never comes back from this.
TEST_F(RpcServerTest, DescriptorsThatRanOutAreNotTheEnd) {
  Serve({});
  ASSERT_EQ(Ask(ConnectPlain()).error_code(), grpc::StatusCode::INVALID_ARGUMENT) << "nobody said who asks";
  const FewDescriptors few(80);
  for (int round = 0; round < 3; ++round) {
    std::vector<int> idle;
    for (int fd = Idle(); fd >= 0; fd = Idle()) idle.push_back(fd);
    EXPECT_GT(idle.size(), 8u);
    EXPECT_EQ(errno, EMFILE);
    for (const int fd : idle) close(fd);
  }
  grpc::Status status;
  // What was closed is not yet free at once.
  for (int tries = 0; tries < 100 && status.error_code() != grpc::StatusCode::INVALID_ARGUMENT; ++tries) {
    status = Ask(ConnectPlain());
  }
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << status.error_message();
}

}  // namespace
}  // namespace corefleet

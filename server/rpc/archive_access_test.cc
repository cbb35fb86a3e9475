#include "server/rpc/archive_access.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <set>

#include "absl/strings/str_cat.h"
#include "corefleet/v1/archive.grpc.pb.h"
#include "google/rpc/error_details.pb.h"
#include "server/rpc/archive_service.h"
#include "server/rpc/rpc_server.h"
#include "storage/memory/memory_crash_index.h"
#include "storage/memory/memory_pack_store.h"
#include "tests/support/test_authority.h"

namespace corefleet {
namespace {

using grpc::StatusCode;

constexpr char kNoCrash[] = "0123456789abcdef0123456789abcdef";

std::string TokenLine(absl::string_view who, absl::string_view token) {
  return absl::StrCat(who, ":", HexOf(Sha256Of(BytesOf(token))), "\n");
}

const google::protobuf::ServiceDescriptor& Archives() {
  return *google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
      v1::CrashArchive::service_full_name());
}

class ArchiveAccessTest : public testing::Test {
 protected:
  ArchiveAccessTest() {
    const TestCertificate own = authority_.SignServer();
    auto identity = std::make_shared<TlsIdentity>(TlsMaterial{
        .certificate_chain = own.certificate, .private_key = own.key, .client_roots = authority_.root()});
    auto server = RpcServer::Start("127.0.0.1:0", &service_, v1::CrashArchive::service_full_name(),
                                   RpcLimits(), {.tls = identity, .clients = ClientCertificates::kOptional});
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  std::shared_ptr<grpc::Channel> Connect(const std::string& uri, const std::string& token = "") const {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = authority_.root();
    if (!uri.empty()) {
      const TestCertificate own = authority_.Sign({.uris = {uri}});
      options.pem_cert_chain = own.certificate;
      options.pem_private_key = own.key;
    }
    auto credentials = grpc::SslCredentials(options);
    if (!token.empty()) {
      credentials = grpc::CompositeChannelCredentials(credentials, grpc::AccessTokenCredentials(token));
    }
    grpc::ChannelArguments alone;
    alone.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(server_->address(), credentials, alone);
  }

  // Calls any method with an empty request, and gives how it ended.
  static grpc::Status Call(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                           const grpc::ByteBuffer& request = grpc::ByteBuffer()) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    grpc::CompletionQueue queue;
    grpc::GenericStub stub(channel);
    grpc::Slice nothing;
    const grpc::ByteBuffer empty(&nothing, 1);
    auto call = stub.PrepareCall(
        &context, absl::StrCat("/", v1::CrashArchive::service_full_name(), "/", method), &queue);
    call->StartCall(nullptr);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    call->WriteLast(request.Valid() ? request : empty, grpc::WriteOptions(), nullptr);
    queue.Next(&tag, &ok);
    // The status comes behind the answers.
    grpc::ByteBuffer answer;
    for (ok = true; ok; queue.Next(&tag, &ok)) call->Read(&answer, nullptr);
    grpc::Status status;
    call->Finish(&status, nullptr);
    queue.Next(&tag, &ok);
    return status;
  }
  template <typename Request>
  static grpc::Status Call(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                           const Request& request) {
    const grpc::Slice slice(request.SerializeAsString());
    return Call(channel, method, grpc::ByteBuffer(&slice, 1));
  }
  static StatusCode ReadArtifact(const std::shared_ptr<grpc::Channel>& channel, const std::string& artifact) {
    v1::ReadArtifactRequest request;
    request.set_id(kNoCrash);
    request.set_artifact(artifact);
    return Call(channel, "ReadArtifact", request).error_code();
  }

  const TestAuthority authority_;
  MemoryCrashIndex index_;
  MemoryPackStore store_;
  Archive archive_{&index_, &store_};
  RpcMetrics metrics_;
  Rim rim_{2, 64, Clock::Real(), &metrics_};
  std::shared_ptr<Exchanged<EngineerTokens>> tokens_ = std::make_shared<Exchanged<EngineerTokens>>(
      *EngineerTokens::Parse(TokenLine("bob:viewer", "t-bob") + TokenLine("eve:engineer", "t-eve")));
  ArchiveAccess access_{tokens_};
  ArchiveService service_{&rim_, &archive_, &access_};
  std::unique_ptr<RpcServer> server_;
};

TEST(ArchiveMethodsTest, EveryMethodHasARowAndEveryRowAMethod) {
  std::multiset<std::string> rows, methods;
  for (const MethodAccess& row : ArchiveMethods()) {
    rows.insert(std::string(row.method));
    EXPECT_NE(row.role, EngineerRole::kNone) << row.method;
  }
  for (int i = 0; i < Archives().method_count(); ++i) methods.insert(Archives().method(i)->name());
  EXPECT_EQ(rows, methods);
}

TEST_F(ArchiveAccessTest, NoMethodAnswersWhoDoesNotSayWhoItIs) {
  const auto nobody = Connect("");
  for (int i = 0; i < Archives().method_count(); ++i) {
    const std::string& method = Archives().method(i)->name();
    const grpc::Status status = Call(nobody, method);
    EXPECT_EQ(status.error_code(), StatusCode::UNAUTHENTICATED) << method << ": " << status.error_message();
  }
}

TEST_F(ArchiveAccessTest, NoMethodAnswersARoleBelowItsRow) {
  const auto viewer = Connect("corefleet:viewer:ann");
  for (const MethodAccess& row : ArchiveMethods()) {
    const StatusCode code = Call(viewer, std::string(row.method)).error_code();
    if (row.role > EngineerRole::kViewer) {
      EXPECT_EQ(code, StatusCode::PERMISSION_DENIED) << row.method;
    } else {
      EXPECT_NE(code, StatusCode::UNAUTHENTICATED) << row.method;
    }
  }
}

TEST_F(ArchiveAccessTest, MemoryIsAnEngineersAndTextsAreAViewers) {
  const auto viewer = Connect("corefleet:viewer:ann");
  const auto engineer = Connect("corefleet:engineer:bob");
  for (const char* artifact : {"", "core", "zero", "concat", "raw", "kdump"}) {
    EXPECT_EQ(ReadArtifact(viewer, artifact), StatusCode::PERMISSION_DENIED) << artifact;
    EXPECT_EQ(ReadArtifact(engineer, artifact), StatusCode::NOT_FOUND) << artifact;
  }
  for (const char* artifact : {"log", "vmcoreinfo", "config"}) {
    EXPECT_EQ(ReadArtifact(viewer, artifact), StatusCode::NOT_FOUND) << artifact;
  }
}

TEST_F(ArchiveAccessTest, ATokenIsAsGoodAsACertificate) {
  EXPECT_EQ(ReadArtifact(Connect("", "t-bob"), "log"), StatusCode::NOT_FOUND);
  EXPECT_EQ(ReadArtifact(Connect("", "t-bob"), "core"), StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(ReadArtifact(Connect("", "t-eve"), "core"), StatusCode::NOT_FOUND);
  EXPECT_EQ(ReadArtifact(Connect("", "t-nobody"), "log"), StatusCode::UNAUTHENTICATED);
}

TEST_F(ArchiveAccessTest, AWrongTokenIsNotMadeGoodByACertificate) {
  EXPECT_EQ(ReadArtifact(Connect("corefleet:admin:root", "t-nobody"), "log"), StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(ReadArtifact(Connect("corefleet:admin:root", "t-bob"), "core"), StatusCode::PERMISSION_DENIED);
}

TEST_F(ArchiveAccessTest, TokensAreExchangedUnderConnections) {
  const auto bob = Connect("", "t-bob");
  EXPECT_EQ(ReadArtifact(bob, "log"), StatusCode::NOT_FOUND);
  tokens_->Replace(*EngineerTokens::Parse(TokenLine("bob:viewer", "another")));
  EXPECT_EQ(ReadArtifact(bob, "log"), StatusCode::UNAUTHENTICATED);
}

TEST_F(ArchiveAccessTest, ADevicesCertificateIsNoEngineers) {
  EXPECT_EQ(ReadArtifact(Connect("corefleet:device:pixel-7"), "log"), StatusCode::UNAUTHENTICATED);
}

TEST_F(ArchiveAccessTest, RefusalsSayWhichRoleIsMissing) {
  const grpc::Status status = Call(Connect("corefleet:viewer:ann"), "ReadMemory");
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(status.error_details()));
  ASSERT_EQ(details.details_size(), 1);
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(details.details(0).UnpackTo(&info));
  EXPECT_EQ(info.domain(), "corefleet");
  EXPECT_EQ(info.reason(), "ROLE_MISSING");
  EXPECT_EQ(info.metadata().at("role"), "engineer");
}

}  // namespace
}  // namespace corefleet

// A CrashIngest that says yes to everything and keeps nothing: what gRPC, protobuf and TLS alone cost for the
// streams that corefleet-load sends. tests/bench/README.md.

#include <grpcpp/grpcpp.h>

#include <csignal>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "core/digest/digest.h"
#include "corefleet/v1/ingest.grpc.pb.h"

ABSL_FLAG(std::string, certificate, "", "PEM file of the server's certificate. Without it there is no TLS.");
ABSL_FLAG(std::string, key, "", "PEM file of its key.");
ABSL_FLAG(std::string, ca, "", "PEM file: which devices to let in; empty: all.");

namespace corefleet {
namespace {

constexpr uint32_t kWindowBytes = 4 << 20;

class Stream final : public grpc::ServerBidiReactor<v1::PutChunksRequest, v1::PutChunksResponse> {
 public:
  Stream() { StartRead(&request_); }

  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    for (const v1::Chunk& chunk : request_.chunks()) {
      v1::ChunkRange* const range = response_.add_durable();
      range->set_region(chunk.region());
      range->set_first(chunk.chunk());
      range->set_count(1);
    }
    if (request_.finish()) response_.mutable_finished()->set_crash("0000");
    if (!request_.flush()) return StartRead(&request_);
    StartWrite(&response_);
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    response_.Clear();
    StartRead(&request_);
  }
  void OnDone() override { delete this; }

 private:
  v1::PutChunksRequest request_;
  v1::PutChunksResponse response_;
};

class NullIngest final : public v1::CrashIngest::CallbackService {
 public:
  grpc::ServerUnaryReactor* BeginCrash(grpc::CallbackServerContext* context,
                                       const v1::BeginCrashRequest* request,
                                       v1::BeginCrashResponse* response) override {
    response->set_state(v1::BeginCrashResponse::NEW);
    response->set_session("00000000000000000000000000000000");
    response->set_chunk_bytes(kChunkBytes);
    response->set_max_inflight_bytes(kWindowBytes);
    for (int i = 0; i < request->regions_size(); ++i) {
      v1::ChunkRange* const range = response->add_missing();
      range->set_region(static_cast<uint32_t>(i));
      range->set_count(ChunkCount(request->regions(i).size()));
    }
    return Ok(context);
  }
  grpc::ServerBidiReactor<v1::PutChunksRequest, v1::PutChunksResponse>* PutChunks(
      grpc::CallbackServerContext*) override {
    return new Stream;
  }
  grpc::ServerUnaryReactor* FinishCrash(grpc::CallbackServerContext* context, const v1::FinishCrashRequest*,
                                        v1::FinishCrashResponse* response) override {
    response->set_crash("0000");
    return Ok(context);
  }

 private:
  static grpc::ServerUnaryReactor* Ok(grpc::CallbackServerContext* context) {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

std::string Pem(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
}

std::shared_ptr<grpc::ServerCredentials> Credentials() {
  if (absl::GetFlag(FLAGS_certificate).empty()) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options;
  options.pem_key_cert_pairs.push_back(
      {Pem(absl::GetFlag(FLAGS_key)), Pem(absl::GetFlag(FLAGS_certificate))});
  if (!absl::GetFlag(FLAGS_ca).empty()) {
    options.pem_root_certs = Pem(absl::GetFlag(FLAGS_ca));
    options.client_certificate_request = GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
  }
  return grpc::SslServerCredentials(options);
}

int Run() {
  NullIngest service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", Credentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) return 2;
  std::cout << port << std::endl;
  server->Wait();
  return 0;
}

}  // namespace
}  // namespace corefleet

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("takes crashes and keeps nothing; prints its port when it is ready");
  absl::ParseCommandLine(argc, argv);
  return corefleet::Run();
}

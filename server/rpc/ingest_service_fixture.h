#ifndef COREFLEET_SERVER_RPC_INGEST_SERVICE_FIXTURE_H_
#define COREFLEET_SERVER_RPC_INGEST_SERVICE_FIXTURE_H_

#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "server/ingest/announced_crash.h"
#include "server/rpc/ingest_service.h"
#include "server/rpc/rpc_server.h"
#include "storage/memory/memory_crash_index.h"
#include "storage/memory/memory_pack_store.h"

namespace corefleet {

class CountingRpcMetrics final : public RpcMetrics {
 public:
  void RpcDone(absl::string_view method, absl::StatusCode code, absl::Duration took) override {
    absl::MutexLock lock(&mutex_);
    ++ends_[{std::string(method), code}];
  }
  int count(const std::string& method, absl::StatusCode code) {
    absl::MutexLock lock(&mutex_);
    return ends_[{method, code}];
  }
  void AwaitCount(const std::string& method, int count) {
    absl::MutexLock lock(&mutex_);
    const auto reached = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      int all = 0;
      for (const auto& [key, n] : ends_) all += key.first == method ? n : 0;
      return all >= count;
    };
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&reached), absl::Seconds(60)));
  }

 private:
  absl::Mutex mutex_;
  std::map<std::pair<std::string, absl::StatusCode>, int> ends_ ABSL_GUARDED_BY(mutex_);
};

// The service behind a real port, over an index and a store in memory, and what a device calls there.
class IngestServiceTest : public testing::Test {
 protected:
  IngestServiceTest() {
    auto server =
        RpcServer::Start("127.0.0.1:0", &service_, v1::CrashIngest::service_full_name(), RpcLimits());
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    channel_ = grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials());
    stub_ = v1::CrashIngest::NewStub(channel_);
  }

  static void Bound(grpc::ClientContext* context) {
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  }
  static v1::BeginCrashRequest Announce(const AnnouncedCrash& crash) {
    v1::BeginCrashRequest request;
    request.set_device("pixel-7");
    for (const ManifestRegion& region : crash.manifest.regions) {
      v1::ManifestRegion* out = request.add_regions();
      out->set_kind(v1::MEMORY);
      out->set_file_name(region.file_name);
      out->set_name(region.name);
      out->set_size(region.size);
      out->set_root(std::string(region.root.begin(), region.root.end()));
    }
    return request;
  }
  grpc::Status Begin(const v1::BeginCrashRequest& request, v1::BeginCrashResponse* response) {
    grpc::ClientContext context;
    Bound(&context);
    return stub_->BeginCrash(&context, request, response);
  }
  std::string Begin() {
    v1::BeginCrashResponse response;
    const grpc::Status status = Begin(Announce(crash_), &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.session();
  }
  static v1::Chunk ToChunk(const OwnedChunk& owned) {
    v1::Chunk chunk;
    chunk.set_region(owned.header.region);
    chunk.set_chunk(owned.header.chunk);
    chunk.set_raw_size(owned.header.raw_size);
    chunk.set_crc32c(owned.header.crc32c);
    chunk.set_sha256(owned.digest.data(), owned.digest.size());
    chunk.set_payload(owned.payload);
    return chunk;
  }
  v1::Chunk ChunkOf(uint32_t region, uint64_t chunk) { return ToChunk(OwnedChunk(crash_, region, chunk)); }
  v1::PutChunksRequest AllChunks(const std::string& session) {
    v1::PutChunksRequest request;
    request.set_session(session);
    for (uint64_t chunk : {0, 1, 2}) *request.add_chunks() = ChunkOf(0, chunk);
    *request.add_chunks() = ChunkOf(1, 0);
    return request;
  }
  // Sends one message, half-closes, and gives the end of the stream. Counts what was acknowledged; `last` is
  // the last answer.
  grpc::Status Put(const v1::PutChunksRequest& request, uint64_t* acknowledged = nullptr,
                   v1::PutChunksResponse* last = nullptr) {
    grpc::ClientContext context;
    Bound(&context);
    auto stream = stub_->PutChunks(&context);
    stream->Write(request);
    stream->WritesDone();
    v1::PutChunksResponse response;
    while (stream->Read(&response)) {
      for (const v1::ChunkRange& range : response.durable()) {
        if (acknowledged != nullptr) *acknowledged += range.count();
      }
      if (last != nullptr) *last = response;
    }
    return stream->Finish();
  }
  grpc::Status Put(const std::string& session, const v1::Chunk& chunk) {
    v1::PutChunksRequest request;
    request.set_session(session);
    *request.add_chunks() = chunk;
    return Put(request);
  }
  grpc::Status Finish(const std::string& session, v1::FinishCrashResponse* response) {
    grpc::ClientContext context;
    Bound(&context);
    v1::FinishCrashRequest request;
    request.set_session(session);
    return stub_->FinishCrash(&context, request, response);
  }
  grpc::Status GetSession(const std::string& session, v1::GetSessionResponse* response) {
    grpc::ClientContext context;
    Bound(&context);
    v1::GetSessionRequest request;
    request.set_session(session);
    return stub_->GetSession(&context, request, response);
  }
  grpc::Status Abandon(const std::string& session) {
    grpc::ClientContext context;
    Bound(&context);
    v1::AbandonCrashRequest request;
    request.set_session(session);
    v1::AbandonCrashResponse response;
    return stub_->AbandonCrash(&context, request, &response);
  }

  MemoryCrashIndex index_;
  MemoryPackStore store_;
  FakeClock clock_{absl::FromUnixSeconds(1'800'000'000)};
  IngestMetrics ingest_metrics_;
  CountingRpcMetrics metrics_;
  IngestLimits limits_;
  Ingestor ingestor_{{.index = &index_, .store = &store_, .clock = &clock_, .metrics = &ingest_metrics_},
                     limits_};
  Rim rim_{2, 1000, &clock_, &metrics_};
  IngestService service_{&rim_, &ingestor_};
  std::unique_ptr<RpcServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::CrashIngest::Stub> stub_;
  AnnouncedCrash crash_{{AnnouncedCrash::Noise(150'000, 1), "hello"}};
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_RPC_INGEST_SERVICE_FIXTURE_H_

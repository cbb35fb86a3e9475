#include "server/rpc/ingest_service.h"

#include <gmock/gmock.h>
#include <google/protobuf/any.pb.h>
#include <grpcpp/health_check_service_interface.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include <map>
#include <thread>

#include "server/ingest/announced_crash.h"
#include "server/rpc/rpc_server.h"
#include "storage/memory/memory_crash_index.h"
#include "storage/memory/memory_pack_store.h"

namespace corefleet {
namespace {

using ::testing::HasSubstr;

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

using Stream = grpc::ClientReaderWriter<v1::PutChunksRequest, v1::PutChunksResponse>;

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

TEST_F(IngestServiceTest, TakesACrash) {
  v1::BeginCrashResponse begun;
  ASSERT_TRUE(Begin(Announce(crash_), &begun).ok());
  EXPECT_EQ(begun.state(), v1::BeginCrashResponse::NEW);
  EXPECT_EQ(begun.missing_size(), 2);
  EXPECT_EQ(begun.chunk_bytes(), kChunkBytes);
  EXPECT_EQ(begun.max_inflight_bytes(), limits_.inflight_bytes);
  EXPECT_EQ(begun.expires_at().seconds(), absl::ToUnixSeconds(clock_.Now() + limits_.session_ttl));

  uint64_t acknowledged = 0;
  ASSERT_TRUE(Put(AllChunks(begun.session()), &acknowledged).ok());
  EXPECT_EQ(acknowledged, 4u);
  v1::FinishCrashResponse finished;
  ASSERT_TRUE(Finish(begun.session(), &finished).ok());
  EXPECT_EQ(finished.crash().size(), 32u);
  EXPECT_FALSE(finished.already_stored());

  v1::FinishCrashResponse again;
  ASSERT_TRUE(Finish(begun.session(), &again).ok());
  EXPECT_TRUE(again.already_stored());
  EXPECT_EQ(again.crash(), finished.crash());
  v1::BeginCrashResponse repeated;
  ASSERT_TRUE(Begin(Announce(crash_), &repeated).ok());
  EXPECT_EQ(repeated.state(), v1::BeginCrashResponse::COMPLETE);
  EXPECT_EQ(repeated.crash(), finished.crash());
  EXPECT_EQ(repeated.missing_size(), 0);
  v1::GetSessionResponse session;
  ASSERT_TRUE(GetSession(begun.session(), &session).ok());
  EXPECT_EQ(session.state(), v1::BeginCrashResponse::COMPLETE);
}

TEST_F(IngestServiceTest, TheLastMessageMayFinishTheCrash) {
  v1::PutChunksRequest request = AllChunks(Begin());
  request.set_finish(true);
  v1::PutChunksResponse last;
  uint64_t acknowledged = 0;
  ASSERT_TRUE(Put(request, &acknowledged, &last).ok());
  EXPECT_EQ(acknowledged, 4u);
  ASSERT_TRUE(last.has_finished());
  EXPECT_EQ(last.finished().crash().size(), 32u);
  EXPECT_FALSE(last.finished().already_stored());
  v1::FinishCrashResponse again;
  ASSERT_TRUE(Finish(request.session(), &again).ok());
  EXPECT_EQ(again.crash(), last.finished().crash());
  EXPECT_TRUE(again.already_stored());
}

TEST_F(IngestServiceTest, ACrashThatCannotBeFinishedYetKeepsItsChunks) {
  v1::PutChunksRequest request = AllChunks(Begin());
  request.mutable_chunks()->RemoveLast();
  request.set_finish(true);
  v1::PutChunksResponse last;
  uint64_t acknowledged = 0;
  EXPECT_TRUE(Put(request, &acknowledged, &last).ok());
  EXPECT_EQ(acknowledged, 3u);
  EXPECT_FALSE(last.has_finished());
  v1::FinishCrashResponse finished;
  EXPECT_EQ(Finish(request.session(), &finished).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(IngestServiceTest, NothingIsFinishedWhenTheLastMessageIsBad) {
  v1::PutChunksRequest request = AllChunks(Begin());
  request.mutable_chunks(3)->set_crc32c(0);
  request.set_finish(true);
  v1::PutChunksResponse last;
  EXPECT_EQ(Put(request, nullptr, &last).error_code(), grpc::StatusCode::DATA_LOSS);
  EXPECT_FALSE(last.has_finished());
}

TEST_F(IngestServiceTest, AcknowledgesWhileTheStreamIsOpenWhenAskedToFlush) {
  grpc::ClientContext context;
  Bound(&context);
  auto stream = stub_->PutChunks(&context);
  v1::PutChunksRequest request;
  request.set_session(Begin());
  *request.add_chunks() = ChunkOf(0, 1);
  request.set_flush(true);
  ASSERT_TRUE(stream->Write(request));
  v1::PutChunksResponse response;
  ASSERT_TRUE(stream->Read(&response));
  ASSERT_EQ(response.durable_size(), 1);
  EXPECT_EQ(response.durable(0).first(), 1u);
  // The session need not be named again.
  v1::PutChunksRequest second;
  *second.add_chunks() = ChunkOf(1, 0);
  second.set_flush(true);
  ASSERT_TRUE(stream->Write(second));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.durable(0).region(), 1u);
  stream->WritesDone();
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(IngestServiceTest, ResumesAfterACancelledStreamWithWhatItVerified) {
  const std::string session = Begin();
  {
    grpc::ClientContext context;
    Bound(&context);
    auto stream = stub_->PutChunks(&context);
    v1::PutChunksRequest request;
    request.set_session(session);
    *request.add_chunks() = ChunkOf(0, 2);
    request.set_flush(true);
    ASSERT_TRUE(stream->Write(request));
    v1::PutChunksResponse response;
    ASSERT_TRUE(stream->Read(&response));
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  metrics_.AwaitCount("PutChunks", 1);
  v1::BeginCrashResponse begun;
  ASSERT_TRUE(Begin(Announce(crash_), &begun).ok());
  EXPECT_EQ(begun.state(), v1::BeginCrashResponse::RESUMING);
  EXPECT_EQ(begun.session(), session);
  ASSERT_EQ(begun.missing_size(), 2);
  EXPECT_EQ(begun.missing(0).count(), 2u);
  ASSERT_TRUE(Put(AllChunks(session)).ok()) << "what is there may be sent again";
  v1::FinishCrashResponse finished;
  EXPECT_TRUE(Finish(session, &finished).ok());
}

TEST_F(IngestServiceTest, RefusesChunksWithTheDocumentedCodes) {
  const std::string session = Begin();
  const auto code = [&](const std::function<void(v1::Chunk*)>& spoil) {
    v1::Chunk chunk = ChunkOf(0, 0);
    spoil(&chunk);
    return Put(session, chunk).error_code();
  };
  EXPECT_EQ(code([](v1::Chunk* c) { c->set_crc32c(c->crc32c() ^ 1); }), grpc::StatusCode::DATA_LOSS);
  EXPECT_EQ(code([](v1::Chunk* c) { c->mutable_sha256()->at(0) ^= 1; }), grpc::StatusCode::DATA_LOSS);
  EXPECT_EQ(code([](v1::Chunk* c) { c->set_encoding(v1::Chunk::ZSTD); }), grpc::StatusCode::DATA_LOSS);
  EXPECT_EQ(code([](v1::Chunk* c) { c->set_encoding(static_cast<v1::Chunk::Encoding>(9)); }),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code([](v1::Chunk* c) { c->set_region(2); }), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code([](v1::Chunk* c) { c->set_chunk(3); }), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code([](v1::Chunk* c) { c->set_raw_size(1); }), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code([](v1::Chunk* c) { c->set_sha256("x"); }), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code([](v1::Chunk* c) { c->mutable_payload()->push_back('x'); }),
            grpc::StatusCode::INVALID_ARGUMENT);
  v1::GetSessionResponse response;
  ASSERT_TRUE(GetSession(session, &response).ok());
  EXPECT_EQ(response.missing(0).count(), 3u) << "nothing of it was taken";
}

TEST_F(IngestServiceTest, TheGoodChunksBeforeABadOneAreKept) {
  const std::string session = Begin();
  v1::PutChunksRequest request = AllChunks(session);
  request.mutable_chunks(3)->set_crc32c(0);
  uint64_t acknowledged = 0;
  EXPECT_EQ(Put(request, &acknowledged).error_code(), grpc::StatusCode::DATA_LOSS);
  EXPECT_EQ(acknowledged, 3u);
}

TEST_F(IngestServiceTest, AZstdFrameTravelsAsItIs) {
  const std::string session = Begin();
  v1::PutChunksRequest request = AllChunks(session);
  for (v1::Chunk& chunk : *request.mutable_chunks()) {
    std::string frame(ZSTD_compressBound(chunk.payload().size()), '\0');
    frame.resize(
        ZSTD_compress(frame.data(), frame.size(), chunk.payload().data(), chunk.payload().size(), 1));
    chunk.set_payload(frame);
    chunk.set_encoding(v1::Chunk::ZSTD);
    chunk.set_crc32c(Crc32c(BytesOf(frame)));
  }
  ASSERT_TRUE(Put(request).ok());
  v1::FinishCrashResponse finished;
  EXPECT_TRUE(Finish(session, &finished).ok());
}

TEST_F(IngestServiceTest, AStreamNeedsASession) {
  EXPECT_EQ(Put("", ChunkOf(0, 0)).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Put(std::string(32, '0'), ChunkOf(0, 0)).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Put("nonsense", ChunkOf(0, 0)).error_code(), grpc::StatusCode::NOT_FOUND);
  v1::GetSessionResponse response;
  EXPECT_EQ(GetSession(std::string(32, '0'), &response).error_code(), grpc::StatusCode::NOT_FOUND);
  v1::FinishCrashResponse finished;
  EXPECT_EQ(Finish("nonsense", &finished).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(IngestServiceTest, AStreamCarriesOneSession) {
  grpc::ClientContext context;
  Bound(&context);
  auto stream = stub_->PutChunks(&context);
  v1::PutChunksRequest request;
  request.set_session(Begin());
  stream->Write(request);
  request.set_session(std::string(32, '1'));
  stream->Write(request);
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(IngestServiceTest, RefusesMessagesThatAreTooLarge) {
  const std::string session = Begin();
  v1::PutChunksRequest request;
  request.set_session(session);
  for (int i = 0; i < 33; ++i) *request.add_chunks() = ChunkOf(0, 0);
  EXPECT_EQ(Put(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  for (int i = 0; i < 64; ++i) *request.add_chunks() = ChunkOf(0, 0);
  EXPECT_EQ(Put(request).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << "gRPC's own limit";
}

TEST_F(IngestServiceTest, FinishBeforeTheEndSaysWhatIsMissing) {
  const std::string session = Begin();
  v1::FinishCrashResponse finished;
  const grpc::Status status = Finish(session, &finished);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("4 chunks"));
  EXPECT_THAT(status.error_details(), HasSubstr("corefleet.v1.GetSessionResponse"));
}

TEST_F(IngestServiceTest, AWrongRootIsDataLossAndStartsOver) {
  v1::BeginCrashRequest announcement = Announce(crash_);
  announcement.mutable_regions(0)->mutable_root()->at(0) ^= 1;
  v1::BeginCrashResponse begun;
  ASSERT_TRUE(Begin(announcement, &begun).ok());
  ASSERT_TRUE(Put(AllChunks(begun.session())).ok());
  v1::FinishCrashResponse finished;
  EXPECT_EQ(Finish(begun.session(), &finished).error_code(), grpc::StatusCode::DATA_LOSS);
  v1::GetSessionResponse session;
  ASSERT_TRUE(GetSession(begun.session(), &session).ok());
  EXPECT_EQ(session.missing(0).count(), 3u);
}

TEST_F(IngestServiceTest, AbandonForgetsOpenSessionsOnly) {
  const std::string session = Begin();
  EXPECT_TRUE(Abandon(session).ok());
  EXPECT_TRUE(Abandon(session).ok());
  const std::string second = Begin();
  ASSERT_TRUE(Put(AllChunks(second)).ok());
  v1::FinishCrashResponse finished;
  ASSERT_TRUE(Finish(second, &finished).ok());
  EXPECT_EQ(Abandon(second).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(IngestServiceTest, RefusesAnnouncements) {
  v1::BeginCrashResponse response;
  v1::BeginCrashRequest request = Announce(crash_);
  request.set_device("");
  EXPECT_EQ(Begin(request, &response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  request.set_device("d");
  request.mutable_regions(0)->set_root("short");
  EXPECT_EQ(Begin(request, &response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  request.clear_regions();
  EXPECT_EQ(Begin(request, &response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(IngestServiceTest, OutagesAreUnavailableAndAcknowledgeNothing) {
  const std::string session = Begin();
  store_.SetPutStatus(absl::ResourceExhaustedError("disk full"));
  uint64_t acknowledged = 0;
  EXPECT_EQ(Put(AllChunks(session), &acknowledged).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  store_.SetPutStatus(absl::OkStatus());
  index_.SetStatus(absl::UnavailableError("database is down"));
  EXPECT_EQ(Put(AllChunks(session), &acknowledged).error_code(), grpc::StatusCode::UNAVAILABLE);
  v1::BeginCrashResponse begun;
  EXPECT_EQ(Begin(Announce(crash_), &begun).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(acknowledged, 0u);
  index_.SetStatus(absl::OkStatus());
  EXPECT_TRUE(Put(AllChunks(session), &acknowledged).ok()) << "recovers by itself";
  EXPECT_EQ(acknowledged, 4u);
}

TEST_F(IngestServiceTest, TwoStreamsMayWorkOnOneSession) {
  const std::string session = Begin();
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] { EXPECT_TRUE(Put(AllChunks(session)).ok()); });
  }
  for (std::thread& thread : threads) thread.join();
  v1::FinishCrashResponse finished;
  EXPECT_TRUE(Finish(session, &finished).ok());
}

TEST_F(IngestServiceTest, TwoHundredSlowStreamsHoldNoThreadAndNoBudget) {
  const std::string session = Begin();
  std::vector<std::string> sessions;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<Stream>> streams;
  for (int i = 0; i < 200; ++i) {
    v1::BeginCrashRequest announcement = Announce(crash_);
    announcement.set_device(absl::StrCat("slow-", i));
    v1::BeginCrashResponse begun;
    ASSERT_TRUE(Begin(announcement, &begun).ok());
    sessions.push_back(begun.session());
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    Bound(contexts.back().get());
    streams.push_back(stub_->PutChunks(contexts.back().get()));
    v1::PutChunksRequest request;
    request.set_session(sessions.back());
    *request.add_chunks() = ChunkOf(0, i % 3);
    ASSERT_TRUE(streams.back()->Write(request));
  }
  // All of them are open and silent, and the two workers are free.
  uint64_t acknowledged = 0;
  EXPECT_TRUE(Put(AllChunks(session), &acknowledged).ok());
  EXPECT_EQ(acknowledged, 4u);
  for (auto& stream : streams) stream->WritesDone();
  for (auto& stream : streams) {
    v1::PutChunksResponse response;
    while (stream->Read(&response)) continue;
    EXPECT_TRUE(stream->Finish().ok());
  }
  v1::FinishCrashResponse finished;
  EXPECT_TRUE(Finish(session, &finished).ok());
}

// A device that lost its network comes back while its old streams still hang.
TEST_F(IngestServiceTest, TheNewestStreamsOfASessionGoOnAndTheOldestEnds) {
  const std::string session = Begin();
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<Stream>> streams;
  v1::PutChunksResponse response;
  for (uint64_t i = 0; i < 3; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    Bound(contexts.back().get());
    streams.push_back(stub_->PutChunks(contexts.back().get()));
    v1::PutChunksRequest request;
    request.set_session(session);
    *request.add_chunks() = ChunkOf(0, i);
    request.set_flush(true);
    ASSERT_TRUE(streams.back()->Write(request));
    ASSERT_TRUE(streams.back()->Read(&response));
  }
  EXPECT_FALSE(streams[0]->Read(&response));
  EXPECT_EQ(streams[0]->Finish().error_code(), grpc::StatusCode::ABORTED);
  for (int i : {1, 2}) {
    streams[i]->WritesDone();
    EXPECT_TRUE(streams[i]->Finish().ok());
  }
  v1::GetSessionResponse left;
  ASSERT_TRUE(GetSession(session, &left).ok());
  ASSERT_EQ(left.missing_size(), 1) << "the work of all three counts";
  EXPECT_EQ(left.missing(0).region(), 1u);
}

TEST_F(IngestServiceTest, ADeviceHasAFewStreamsAndOthersAreNotHeldUpByThem) {
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<Stream>> streams;
  const size_t most = UploadStreams::Limits().of_device;
  v1::PutChunksRequest request;
  for (size_t i = 0; i <= most; ++i) {
    const AnnouncedCrash crash({AnnouncedCrash::Noise(100, 100 + i)});
    v1::BeginCrashResponse begun;
    ASSERT_TRUE(Begin(Announce(crash), &begun).ok());
    request.set_session(begun.session());
    request.clear_chunks();
    *request.add_chunks() = ToChunk(OwnedChunk(crash, 0, 0));
    request.set_flush(true);
    if (i == most) break;
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    Bound(contexts.back().get());
    streams.push_back(stub_->PutChunks(contexts.back().get()));
    ASSERT_TRUE(streams.back()->Write(request));
    v1::PutChunksResponse response;
    ASSERT_TRUE(streams.back()->Read(&response));
  }
  grpc::ClientContext context;
  Bound(&context);
  auto refused = stub_->PutChunks(&context);
  refused->Write(request);
  EXPECT_EQ(refused->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(context.GetServerTrailingMetadata().count("grpc-retry-pushback-ms"), 1u);
  v1::BeginCrashRequest other = Announce(crash_);
  other.set_device("pixel-8");
  v1::BeginCrashResponse begun;
  ASSERT_TRUE(Begin(other, &begun).ok());
  EXPECT_TRUE(Put(AllChunks(begun.session())).ok());
  streams[0]->WritesDone();
  EXPECT_TRUE(streams[0]->Finish().ok());
  EXPECT_TRUE(Put(request).ok()) << "one has ended";
  for (size_t i = 1; i < most; ++i) {
    streams[i]->WritesDone();
    EXPECT_TRUE(streams[i]->Finish().ok());
  }
}

TEST_F(IngestServiceTest, AFlushWithEveryChunkIsSlowedAndAllOfItAcknowledged) {
  const AnnouncedCrash crash({AnnouncedCrash::Noise(200 * kChunkBytes, 7)});
  v1::BeginCrashResponse begun;
  ASSERT_TRUE(Begin(Announce(crash), &begun).ok());
  grpc::ClientContext context;
  Bound(&context);
  auto stream = stub_->PutChunks(&context);
  v1::PutChunksRequest request;
  request.set_session(begun.session());
  request.set_flush(true);
  for (uint64_t i = 0; i < 200; ++i) {
    request.clear_chunks();
    *request.add_chunks() = ToChunk(OwnedChunk(crash, 0, i));
    ASSERT_TRUE(stream->Write(request));
  }
  stream->WritesDone();
  uint64_t acknowledged = 0;
  v1::PutChunksResponse response;
  while (stream->Read(&response)) {
    for (const v1::ChunkRange& range : response.durable()) acknowledged += range.count();
  }
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(acknowledged, 200u);
}

TEST_F(IngestServiceTest, AMessageLargerThanAPackIsStoredInSeveral) {
  Rim rim(2, 1000, &clock_, &metrics_, /*verifiers=*/1);
  IngestLimits limits;
  limits.flush_bytes = 1;
  Ingestor ingestor({.index = &index_, .store = &store_, .clock = &clock_, .metrics = &ingest_metrics_},
                    limits);
  IngestService service(&rim, &ingestor);
  auto server = RpcServer::Start("127.0.0.1:0", &service, v1::CrashIngest::service_full_name(), RpcLimits());
  ASSERT_TRUE(server.ok());
  stub_ =
      v1::CrashIngest::NewStub(grpc::CreateChannel((*server)->address(), grpc::InsecureChannelCredentials()));
  v1::PutChunksRequest request = AllChunks(Begin());
  request.set_finish(true);
  uint64_t acknowledged = 0;
  v1::PutChunksResponse last;
  EXPECT_TRUE(Put(request, &acknowledged, &last).ok());
  EXPECT_EQ(acknowledged, 4u);
  EXPECT_TRUE(last.has_finished());
}

TEST_F(IngestServiceTest, CancellationAtAnyPointLeavesAWorkingServer) {
  const std::string session = Begin();
  for (int point = 0; point < 60; ++point) {
    grpc::ClientContext context;
    Bound(&context);
    if (point % 4 == 0) context.TryCancel();
    auto stream = stub_->PutChunks(&context);
    v1::PutChunksRequest request = AllChunks(session);
    request.set_flush(point % 3 == 0);
    if (point % 4 == 1) context.TryCancel();
    stream->Write(request);
    if (point % 4 == 2) context.TryCancel();
    stream->Write(request);
    v1::PutChunksResponse response;
    if (point % 2 == 1) stream->Read(&response);
    context.TryCancel();
    stream->Finish();
  }
  EXPECT_TRUE(Put(AllChunks(session)).ok());
  v1::FinishCrashResponse finished;
  EXPECT_TRUE(Finish(session, &finished).ok());
}

TEST_F(IngestServiceTest, AClientThatReadsNoAcknowledgementsIsNotReadFromForEver) {
  const std::string session = Begin();
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(3));
  auto stream = stub_->PutChunks(&context);
  // Two chunks by turns: their acknowledgements do not merge.
  ASSERT_TRUE(Put(AllChunks(session)).ok());
  v1::PutChunksRequest request;
  request.set_session(session);
  for (int i = 0; i < 500; ++i) {
    *request.add_chunks() = ChunkOf(1, 0);
    request.mutable_chunks(i)->set_payload("hello");
  }
  int written = 0;
  while (written < 200'000 && stream->Write(request)) ++written;
  EXPECT_LT(written, 200'000) << "the server must stop reading";
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(Put(AllChunks(session)).ok());
}

// The same index and store behind a port that has little patience.
class ImpatientIngestServiceTest : public IngestServiceTest {
 protected:
  ImpatientIngestServiceTest() {
    auto server =
        RpcServer::Start("127.0.0.1:0", &impatient_, v1::CrashIngest::service_full_name(), RpcLimits());
    EXPECT_TRUE(server.ok()) << server.status();
    impatient_server_ = *std::move(server);
    impatient_stub_ = v1::CrashIngest::NewStub(
        grpc::CreateChannel(impatient_server_->address(), grpc::InsecureChannelCredentials()));
  }

  static IngestLimits Impatient() {
    IngestLimits limits;
    limits.stall = absl::Milliseconds(200);
    return limits;
  }

  Ingestor impatient_ingestor_{
      {.index = &index_, .store = &store_, .clock = &clock_, .metrics = &ingest_metrics_}, Impatient()};
  IngestService impatient_{&rim_, &impatient_ingestor_};
  std::unique_ptr<RpcServer> impatient_server_;
  std::unique_ptr<v1::CrashIngest::Stub> impatient_stub_;
};

TEST_F(ImpatientIngestServiceTest, AStalledStreamEndsAndKeepsWhatCame) {
  const std::string session = Begin();
  grpc::ClientContext context;
  Bound(&context);
  auto stream = impatient_stub_->PutChunks(&context);
  v1::PutChunksRequest request;
  request.set_session(session);
  *request.add_chunks() = ChunkOf(0, 1);
  ASSERT_TRUE(stream->Write(request));
  v1::PutChunksResponse response;
  ASSERT_TRUE(stream->Read(&response)) << "flushed at its end";
  EXPECT_EQ(response.durable(0).first(), 1u);
  EXPECT_FALSE(stream->Read(&response));
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_THAT(status.error_message(), HasSubstr("nothing came for 200ms"));
  EXPECT_EQ(metrics_.count("PutChunks", absl::StatusCode::kDeadlineExceeded), 1);
  ASSERT_TRUE(Put(AllChunks(session)).ok());
  v1::FinishCrashResponse finished;
  EXPECT_TRUE(Finish(session, &finished).ok());
}

TEST_F(ImpatientIngestServiceTest, AStreamThatNeverSaysAnythingEnds) {
  grpc::ClientContext context;
  Bound(&context);
  auto stream = impatient_stub_->PutChunks(&context);
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(ImpatientIngestServiceTest, WordsWithoutChunksKeepNoStreamOpen) {
  v1::PutChunksRequest request;
  request.set_session(Begin());
  request.set_flush(true);
  grpc::ClientContext context;
  Bound(&context);
  auto stream = impatient_stub_->PutChunks(&context);
  while (stream->Write(request)) continue;
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(ImpatientIngestServiceTest, AClientThatReadsNoAcknowledgementsIsCutOff) {
  const std::string session = Begin();
  ASSERT_TRUE(Put(AllChunks(session)).ok());
  grpc::ClientContext context;
  Bound(&context);
  auto stream = impatient_stub_->PutChunks(&context);
  v1::PutChunksRequest request;
  request.set_session(session);
  for (int i = 0; i < 500; ++i) *request.add_chunks() = ChunkOf(1, 0);
  while (stream->Write(request)) continue;
  v1::PutChunksResponse response;
  while (stream->Read(&response)) continue;
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(Put(AllChunks(session)).ok());
}

TEST_F(ImpatientIngestServiceTest, AStreamThatGoesOnIsLeftAlone) {
  const std::string session = Begin();
  grpc::ClientContext context;
  Bound(&context);
  auto stream = impatient_stub_->PutChunks(&context);
  v1::PutChunksRequest request;
  request.set_session(session);
  *request.add_chunks() = ChunkOf(0, 1);
  request.set_flush(true);
  // Longer than the limit in all, with no pause that is.
  const absl::Time end = absl::Now() + absl::Milliseconds(700);
  while (absl::Now() < end) {
    ASSERT_TRUE(stream->Write(request));
    v1::PutChunksResponse response;
    ASSERT_TRUE(stream->Read(&response));
  }
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(IngestServiceTest, TooManyCallsAreRefused) {
  Rim narrow(1, 1, &clock_, &metrics_);
  IngestService service(&narrow, &ingestor_);
  auto server = RpcServer::Start("127.0.0.1:0", &service, v1::CrashIngest::service_full_name(), RpcLimits());
  ASSERT_TRUE(server.ok());
  auto stub =
      v1::CrashIngest::NewStub(grpc::CreateChannel((*server)->address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext open_context;
  Bound(&open_context);
  auto open = stub->PutChunks(&open_context);
  v1::PutChunksRequest request;
  request.set_session(Begin());
  *request.add_chunks() = ChunkOf(1, 0);
  request.set_flush(true);
  ASSERT_TRUE(open->Write(request));
  v1::PutChunksResponse ack;
  ASSERT_TRUE(open->Read(&ack));
  grpc::ClientContext context;
  Bound(&context);
  v1::GetSessionResponse response;
  v1::GetSessionRequest question;
  EXPECT_EQ(stub->GetSession(&context, question, &response).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  grpc::ClientContext refused;
  Bound(&refused);
  EXPECT_EQ(stub->PutChunks(&refused)->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(refused.GetServerTrailingMetadata().count("grpc-retry-pushback-ms"), 1u) << "a stream's refusal";
  open->WritesDone();
  EXPECT_TRUE(open->Finish().ok());
}

TEST_F(IngestServiceTest, CallsAreCounted) {
  v1::GetSessionResponse response;
  GetSession("nonsense", &response);
  GetSession(Begin(), &response);
  EXPECT_EQ(metrics_.count("GetSession", absl::StatusCode::kNotFound), 1);
  EXPECT_EQ(metrics_.count("GetSession", absl::StatusCode::kOk), 1);
  EXPECT_EQ(metrics_.count("BeginCrash", absl::StatusCode::kOk), 1);
}

TEST_F(IngestServiceTest, APortThatIsTakenIsSaid) {
  EXPECT_TRUE(absl::IsUnavailable(
      RpcServer::Start(server_->address(), &service_, v1::CrashIngest::service_full_name(), RpcLimits())
          .status()));
}

}  // namespace
}  // namespace corefleet

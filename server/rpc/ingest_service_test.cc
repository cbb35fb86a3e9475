// A crash's way through the calls, what is refused, and what an outage costs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include <functional>
#include <string>

#include "server/rpc/ingest_service_fixture.h"

namespace corefleet {
namespace {

using ::testing::HasSubstr;

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

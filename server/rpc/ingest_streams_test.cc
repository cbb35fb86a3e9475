// What devices' streams do to the server and to each other: many, slow, cancelled, deaf, silent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "server/rpc/ingest_service_fixture.h"

namespace corefleet {
namespace {

using ::testing::HasSubstr;
using Stream = grpc::ClientReaderWriter<v1::PutChunksRequest, v1::PutChunksResponse>;

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

}  // namespace
}  // namespace corefleet

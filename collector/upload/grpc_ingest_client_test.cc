#include "collector/upload/grpc_ingest_client.h"

#include <atomic>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "collector/upload/channel.h"
#include "collector/upload/fake_ingest_server.h"
#include "collector/upload/uploader.h"
#include "core/bytes/byte_view.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

grpc::Status ToGrpc(const absl::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()));
}

// As a server refuses: the details, and the trailer for clients that read no details.
grpc::Status Refuse(grpc::ServerContext* context, const absl::Status& status) {
  const Refusal refusal = RefusalOf(status);
  google::rpc::Status details;
  google::rpc::ErrorInfo info;
  info.set_reason(refusal.reason);
  info.set_domain("corefleet");
  (*info.mutable_metadata())["rule"] = refusal.rule;
  details.add_details()->PackFrom(info);
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(absl::ToInt64Seconds(refusal.wait));
  details.add_details()->PackFrom(retry);
  if (refusal.not_before_next_boot) context->AddTrailingMetadata("grpc-retry-pushback-ms", "-1");
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()),
                      details.SerializeAsString());
}

Sha256Digest DigestOf(const std::string& bytes) {
  Sha256Digest digest{};
  if (bytes.size() == digest.size()) std::copy(bytes.begin(), bytes.end(), digest.begin());
  return digest;
}

// FakeIngestServer behind real gRPC: what arrives on the wire is turned back and handed over.
class FakeService final : public v1::CrashIngest::Service {
 public:
  // gRPC calls from threads of its own; a stream's may still run when the client has given it up and calls
  // again.
  absl::Mutex one_at_a_time;
  FakeIngestServer fake;  // under one_at_a_time while a client calls
  std::atomic<bool> ignore_chunks = false;

  grpc::Status BeginCrash(grpc::ServerContext* context, const v1::BeginCrashRequest* request,
                          v1::BeginCrashResponse* response) override {
    Manifest manifest;
    for (const v1::ManifestRegion& from : request->regions()) {
      ManifestRegion region{
          .kind = static_cast<RegionKind>(from.kind()), .file_name = from.file_name(), .name = from.name()};
      if (from.has_id()) region.id = from.id();
      region.size = from.size();
      region.root = DigestOf(from.root());
      manifest.regions.push_back(region);
    }
    const absl::MutexLock lock(&one_at_a_time);
    const CrashClues clues{.panic = request->hints().panic(), .priority = request->hints().priority()};
    DeviceAccount account{.epoch = request->account().epoch(), .spooled = request->account().spooled()};
    for (const v1::DeviceLoss& loss : request->account().lost())
      account.lost.push_back({loss.reason(), loss.count()});
    const DeviceId device(request->device());
    const absl::StatusOr<BegunSession> begun = fake.Begin({.device = device,
                                                           .manifest = manifest,
                                                           .note = request->note(),
                                                           .clues = clues,
                                                           .account = account});
    if (!begun.ok()) return Refuse(context, begun.status());
    response->set_state(begun->progress.complete ? v1::BeginCrashResponse::COMPLETE
                                                 : v1::BeginCrashResponse::NEW);
    response->set_session(begun->session.value());
    response->set_crash(begun->progress.crash);
    response->set_max_inflight_bytes(begun->max_inflight_bytes);
    response->set_chunk_bytes(kChunkBytes);
    response->set_want(begun->want == Want::kLogOnly ? v1::WANT_LOG_ONLY : v1::WANT_ALL);
    response->mutable_ask_again()->set_seconds(absl::ToInt64Seconds(begun->ask_again));
    for (const ChunkRange& range : begun->progress.missing) Add(range, response->add_missing());
    return grpc::Status::OK;
  }

  grpc::Status GetSession(grpc::ServerContext*, const v1::GetSessionRequest* request,
                          v1::GetSessionResponse* response) override {
    const absl::MutexLock lock(&one_at_a_time);
    const absl::StatusOr<SessionProgress> progress = fake.Progress(SessionId(request->session()));
    if (!progress.ok()) return ToGrpc(progress.status());
    response->set_state(progress->complete ? v1::BeginCrashResponse::COMPLETE
                                           : v1::BeginCrashResponse::RESUMING);
    response->set_crash(progress->crash);
    for (const ChunkRange& range : progress->missing) Add(range, response->add_missing());
    return grpc::Status::OK;
  }

  grpc::Status PutChunks(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<v1::PutChunksResponse, v1::PutChunksRequest>* wire) override {
    std::unique_ptr<ChunkStream> stream;
    {
      const absl::MutexLock lock(&one_at_a_time);
      stream = fake.PutChunks(SessionId("x"));
    }
    v1::PutChunksRequest request;
    while (wire->Read(&request)) {
      if (ignore_chunks) continue;
      const absl::MutexLock lock(&one_at_a_time);
      std::vector<OutgoingChunk> chunks;
      for (const v1::Chunk& chunk : request.chunks()) {
        if (Crc32c(BytesOf(chunk.payload())) != chunk.crc32c()) return ToGrpc(absl::DataLossError("crc"));
        chunks.push_back({chunk.region(),
                          chunk.chunk(),
                          chunk.raw_size(),
                          DigestOf(chunk.sha256()),
                          {static_cast<ChunkEncoding>(chunk.encoding()), chunk.payload()}});
      }
      const Ask ask = request.finish() ? Ask::kFinish : request.flush() ? Ask::kFlush : Ask::kNothing;
      if (!stream->Send(chunks, ask)) return ToGrpc(stream->Close());
      Acknowledge(stream.get(), wire);
    }
    const absl::MutexLock lock(&one_at_a_time);
    stream->HalfClose();
    Acknowledge(stream.get(), wire);
    if (const std::optional<StoredReceipt> receipt = stream->finished()) {
      v1::PutChunksResponse last;
      last.mutable_finished()->set_crash(receipt->crash);
      wire->Write(last);
    }
    return ToGrpc(stream->Close());
  }

  grpc::Status FinishCrash(grpc::ServerContext*, const v1::FinishCrashRequest* request,
                           v1::FinishCrashResponse* response) override {
    const absl::MutexLock lock(&one_at_a_time);
    const absl::StatusOr<StoredReceipt> receipt = fake.Finish(SessionId(request->session()));
    if (!receipt.ok()) return ToGrpc(receipt.status());
    response->set_crash(receipt->crash);
    response->set_already_stored(receipt->already_stored);
    return grpc::Status::OK;
  }

 private:
  static void Add(const ChunkRange& from, v1::ChunkRange* to) {
    to->set_region(from.region);
    to->set_first(from.first);
    to->set_count(from.count);
  }

  static void Acknowledge(ChunkStream* stream,
                          grpc::ServerReaderWriter<v1::PutChunksResponse, v1::PutChunksRequest>* wire) {
    std::vector<ChunkRange> durable;
    if (!stream->ReadAck(&durable)) return;
    v1::PutChunksResponse response;
    for (const ChunkRange& range : durable) Add(range, response.add_durable());
    wire->Write(response);
  }
};

class GrpcIngestClientTest : public testing::Test {
 protected:
  GrpcIngestClientTest() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
  }
  ~GrpcIngestClientTest() override { server_->Shutdown(); }

  std::shared_ptr<grpc::Channel> Channel() { return MakeChannel(absl::StrCat("127.0.0.1:", port_)); }

  UploadResult Upload(const RegionSet& set, GrpcIngestClient::Options options = {}) {
    service_.one_at_a_time.Lock();  // hands over what the test has set
    service_.one_at_a_time.Unlock();
    GrpcIngestClient client(Channel(), options, Clock::Real());
    FakeClock clock(absl::FromUnixSeconds(1000));
    Uploader uploader({.device = DeviceId("edge-1"), .retry = RetryPolicy::Interactive()},
                      {.client = &client, .clock = &clock, .random = [] { return 0.5; }});
    UploadResult result = uploader.Upload(set);
    const absl::MutexLock lock(&service_.one_at_a_time);  // takes back what the calls have left
    return result;
  }

  FakeService service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

RegionSet Crash() {
  std::string bytes(20 * kChunkBytes + 5, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * i >> 7);
  RegionSet set;
  set.regions.resize(2);
  set.regions[0].file_name = "md_K\xff\n1.BIN";
  set.regions[0].bytes = std::make_shared<MemorySource>(absl::string_view(bytes));
  set.regions[1].file_name = "md_Kprb22.BIN";
  set.regions[1].id = 22;
  set.regions[1].bytes = std::make_shared<MemorySource>(absl::string_view("12345678"));
  return set;
}

TEST_F(GrpcIngestClientTest, CarriesACrashAndFindsItAgain) {
  const UploadResult result = Upload(Crash());
  EXPECT_EQ(result.outcome, UploadOutcome::kStored) << result.reason;
  EXPECT_EQ(service_.fake.manifest.regions[0].file_name, "md_K\xff\n1.BIN");
  EXPECT_EQ(service_.fake.manifest.regions[1].id, 22u);
  EXPECT_EQ(service_.fake.chunks_received, 22);
  EXPECT_EQ(service_.fake.RegionBytes(1), "12345678");
  EXPECT_EQ(Upload(Crash()).outcome, UploadOutcome::kAlreadyStored);
}

TEST_F(GrpcIngestClientTest, ResumesThroughBreaks) {
  service_.fake.stream_faults = {{0, absl::UnavailableError("cut")},
                                 {7, absl::ResourceExhaustedError("full")}};
  const UploadResult result = Upload(Crash());
  EXPECT_EQ(result.outcome, UploadOutcome::kStored) << result.reason;
  EXPECT_TRUE(service_.fake.crash_stored);
}

TEST_F(GrpcIngestClientTest, CarriesTheServersWordsWhenRefused) {
  service_.fake.begin_faults = {absl::InvalidArgumentError("region 0: no such kind")};
  const UploadResult result = Upload(Crash());
  EXPECT_EQ(result.outcome, UploadOutcome::kRefused);
  EXPECT_EQ(result.reason, "region 0: no such kind");
}

TEST_F(GrpcIngestClientTest, CarriesARefusalsReasonRuleAndDelay) {
  const Refusal refusal{
      .reason = "FLEET_RATE", .rule = "night", .wait = absl::Seconds(77), .not_before_next_boot = true};
  service_.fake.begin_faults = {WithRefusal(absl::ResourceExhaustedError("later"), refusal)};
  const UploadResult result = Upload(Crash());
  EXPECT_TRUE(absl::IsResourceExhausted(result.status));
  EXPECT_EQ(RefusalOf(result.status), refusal);
}

TEST_F(GrpcIngestClientTest, CarriesCluesAndTheDevicesAccount) {
  GrpcIngestClient client(Channel(), {}, Clock::Real());
  const CrashClues clues{.panic = "Oops\n\xff", .priority = 7};
  const DeviceAccount account{.epoch = "e1", .lost = {{"age", 3}, {"full", 0}}, .spooled = 2};
  const DeviceId device("edge-1");
  const Manifest manifest;
  ASSERT_TRUE(client.Begin({device, manifest, "", clues, account}).ok());
  const absl::MutexLock lock(&service_.one_at_a_time);
  EXPECT_EQ(service_.fake.clues.panic, "Oops\\x0a\\xff");
  EXPECT_EQ(service_.fake.clues.priority, 7u);
  EXPECT_EQ(service_.fake.account.epoch, "e1");
  EXPECT_EQ(service_.fake.account.lost, (std::vector<std::pair<std::string, uint64_t>>{{"age", 3}}));
  EXPECT_EQ(service_.fake.account.spooled, 2u);
}

TEST_F(GrpcIngestClientTest, SavesTheLastCall) {
  EXPECT_EQ(Upload(Crash()).outcome, UploadOutcome::kStored);
  EXPECT_EQ(service_.fake.finishes, 0);
}

TEST_F(GrpcIngestClientTest, CancelEndsWhatRunsAndWhatFollows) {
  GrpcIngestClient client(Channel(), {}, Clock::Real());
  service_.ignore_chunks = true;
  const std::unique_ptr<ChunkStream> stream = client.PutChunks(SessionId("x"));
  client.Cancel();
  std::vector<ChunkRange> durable;
  EXPECT_FALSE(stream->ReadAck(&durable));
  EXPECT_TRUE(absl::IsCancelled(stream->Close()));
  EXPECT_TRUE(absl::IsCancelled(client.Progress(SessionId("x")).status()));
}

TEST_F(GrpcIngestClientTest, GivesUpAStreamOnWhichNothingMoves) {
  GrpcIngestClient client(Channel(), {.stall_timeout = absl::Milliseconds(200)}, Clock::Real());
  service_.ignore_chunks = true;
  const std::unique_ptr<ChunkStream> stream = client.PutChunks(SessionId("x"));
  OutgoingChunk chunk{.raw_size = 3};
  chunk.encoded.bytes = "abc";
  EXPECT_TRUE(stream->Send({chunk}, Ask::kFlush));
  std::vector<ChunkRange> durable;
  EXPECT_FALSE(stream->ReadAck(&durable));
  EXPECT_TRUE(absl::IsDeadlineExceeded(stream->Close()));
}

TEST(IsReachable, IsQuickToSayNo) {
  // Port 1 on loopback: nobody listens, and the kernel says so at once.
  const std::shared_ptr<grpc::Channel> channel = MakeChannel("127.0.0.1:1");
  EXPECT_FALSE(IsReachable(channel.get(), Clock::Real(), absl::Seconds(4)));
}

}  // namespace
}  // namespace corefleet

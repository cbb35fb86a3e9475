#include "collector/upload/uploader.h"

#include <string>
#include <vector>

#include "collector/upload/announcement.h"
#include "collector/upload/fake_ingest_server.h"
#include "collector/upload/send_window.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

// Bytes that do not compress, the same for the same seed.
std::string Noise(size_t size, uint64_t seed) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<char>(seed >> 56);
  }
  return bytes;
}

Region RegionOf(const std::string& name, const std::string& bytes) {
  Region region;
  region.file_name = name;
  region.bytes = std::make_shared<MemorySource>(absl::string_view(bytes));
  return region;
}

// Nine chunks in four regions, one of them empty.
RegionSet SmallCrash() {
  RegionSet set;
  set.regions = {RegionOf("md_KELF1.BIN", Noise(3 * kChunkBytes + 17, 1)), RegionOf("md_Kempty2.BIN", ""),
                 RegionOf("md_Kzero3.BIN", std::string(4 * kChunkBytes, '\0')),
                 RegionOf("md_Kprb22.BIN", "12345678")};
  return set;
}
constexpr int kSmallCrashChunks = 9;

class UploaderTest : public testing::Test {
 protected:
  UploadResult Upload(const RegionSet& set, RetryPolicy retry = RetryPolicy::Interactive()) {
    Uploader uploader({.device = DeviceId("edge-1"), .note = "hello", .retry = retry},
                      {.client = &server_,
                       .clock = &clock_,
                       .random = [] { return 0.5; },
                       .on_progress = [this](const UploadProgress& progress) { progress_ = progress; },
                       .on_retry = [this](const absl::Status&) { ++retries_; },
                       .may_send = may_send_});
    return uploader.Upload(set);
  }

  void ExpectStoredWhole(const RegionSet& set) {
    EXPECT_TRUE(server_.crash_stored);
    for (uint32_t i = 0; i < set.regions.size(); ++i) {
      const ByteSource& bytes = *set.regions[i].bytes;
      const std::vector<uint8_t> sent = *ReadBytes(bytes, 0, bytes.size());
      EXPECT_TRUE(server_.RegionBytes(i) == std::string(sent.begin(), sent.end())) << i;
    }
  }

  FakeIngestServer server_;
  FakeClock clock_{absl::FromUnixSeconds(1000)};
  UploadProgress progress_;
  int retries_ = 0;
  std::function<absl::Status(uint64_t, Want)> may_send_;
};

TEST_F(UploaderTest, BringsACrashOverInOneGo) {
  const RegionSet set = SmallCrash();
  const UploadResult result = Upload(set);
  EXPECT_EQ(result.outcome, UploadOutcome::kStored) << result.reason;
  EXPECT_EQ(result.crash.size(), 32u);
  ExpectStoredWhole(set);
  EXPECT_EQ(server_.chunks_received, kSmallCrashChunks);
  EXPECT_LE(server_.messages_received, 4);  // each twice the one before, at most
  EXPECT_EQ(server_.note, "hello");
  EXPECT_EQ(progress_.durable_bytes, progress_.total_bytes);
  EXPECT_EQ(retries_, 0);
}

TEST_F(UploaderTest, SendsNothingThatIsThere) {
  ASSERT_EQ(Upload(SmallCrash()).outcome, UploadOutcome::kStored);
  const UploadResult again = Upload(SmallCrash());
  EXPECT_EQ(again.outcome, UploadOutcome::kAlreadyStored);
  EXPECT_EQ(again.crash.size(), 32u);
  EXPECT_EQ(server_.chunks_received, kSmallCrashChunks);
}

TEST_F(UploaderTest, ResumesFromACutAfterEveryChunk) {
  const RegionSet set = SmallCrash();
  for (int cut = 0; cut <= kSmallCrashChunks; ++cut) {
    server_ = FakeIngestServer();
    server_.stream_faults = {{cut, absl::UnavailableError("cut")}};
    EXPECT_EQ(Upload(set).outcome, UploadOutcome::kStored) << cut;
    ExpectStoredWhole(set);
  }
}

TEST_F(UploaderTest, GetsOverALinkThatIsCutAgainAndAgain) {
  RegionSet set;
  set.regions = {RegionOf("md_Kbig1.BIN", Noise(100 * kChunkBytes, 7))};
  server_.cut_every = 4;
  EXPECT_EQ(Upload(set).outcome, UploadOutcome::kStored);
  ExpectStoredWhole(set);
  // The first stream loses what it had not flushed; every later one asks for durability as it goes.
  EXPECT_LE(server_.chunks_received, 110);
}

TEST_F(UploaderTest, EndsConnectionsBeforeALinkThatBreaksAtOnePlace) {
  RegionSet set;
  set.regions = {RegionOf("md_Kbig1.BIN", Noise(400 * kChunkBytes, 7))};
  server_.cut_every = 8;
  EXPECT_EQ(Upload(set).outcome, UploadOutcome::kStored);
  ExpectStoredWhole(set);
  // Two breaks teach it; what follows is ended on purpose and travels once, but for the looks whether the
  // link became better.
  EXPECT_LE(retries_, 6);
  EXPECT_GT(server_.reconnects, 20);
  EXPECT_LE(server_.chunks_received, 420);
}

TEST_F(UploaderTest, DoesWhatEachStatusAsks) {
  for (const absl::StatusCode code :
       {absl::StatusCode::kUnavailable, absl::StatusCode::kDeadlineExceeded, absl::StatusCode::kInternal,
        absl::StatusCode::kUnknown, absl::StatusCode::kResourceExhausted, absl::StatusCode::kAborted,
        absl::StatusCode::kDataLoss, absl::StatusCode::kNotFound, absl::StatusCode::kCancelled}) {
    const absl::Status fault(code, "scripted");
    const RegionSet set = SmallCrash();
    server_ = FakeIngestServer();
    server_.begin_faults = {fault};
    server_.stream_faults = {{2, fault}};
    server_.progress_faults = {absl::OkStatus(), fault};
    server_.finish_faults = {fault};
    EXPECT_EQ(Upload(set).outcome, UploadOutcome::kStored) << fault;
    ExpectStoredWhole(set);
  }
}

TEST_F(UploaderTest, SavesTheLastCall) {
  ASSERT_EQ(Upload(SmallCrash()).outcome, UploadOutcome::kStored);
  EXPECT_EQ(server_.finishes, 0);
}

TEST_F(UploaderTest, FinishesByItselfWhereTheServerDoesNot) {
  server_.finishes_in_stream = false;
  const UploadResult result = Upload(SmallCrash());
  EXPECT_EQ(result.outcome, UploadOutcome::kStored) << result.reason;
  EXPECT_EQ(result.crash.size(), 32u);
  EXPECT_EQ(server_.finishes, 1);
}

TEST_F(UploaderTest, ALogOnlyAnswerIsStoredInPartAndTheRestWhenAskedAgain) {
  const RegionSet set = SmallCrash();
  server_.want = Want::kLogOnly;
  server_.ask_again = absl::Hours(6);
  const UploadResult part = Upload(set);
  EXPECT_EQ(part.outcome, UploadOutcome::kStoredInPart) << part.reason;
  EXPECT_EQ(part.crash.size(), 32u);
  EXPECT_EQ(part.ask_again, absl::Hours(6));
  EXPECT_EQ(server_.chunks_received, 1);
  EXPECT_EQ(OutcomeName(part.outcome), "STORED");

  EXPECT_EQ(Upload(set).outcome, UploadOutcome::kStoredInPart);
  EXPECT_EQ(server_.chunks_received, 1);

  server_.want = Want::kAll;
  EXPECT_EQ(Upload(set).outcome, UploadOutcome::kStored);
  ExpectStoredWhole(set);
  EXPECT_EQ(server_.chunks_received, kSmallCrashChunks);
}

TEST_F(UploaderTest, StaysAwayAsLongAsTheServerSays) {
  server_.begin_faults = {
      WithRefusal(absl::ResourceExhaustedError("later"), {.reason = "RATE", .wait = absl::Minutes(10)})};
  EXPECT_EQ(Upload(SmallCrash(), RetryPolicy::Endless()).outcome, UploadOutcome::kStored);
  EXPECT_GE(clock_.Now() - absl::FromUnixSeconds(1000), absl::Minutes(10));
}

TEST_F(UploaderTest, DoesNotWaitLongerThanItsPatience) {
  server_.begin_faults = {WithRefusal(absl::ResourceExhaustedError("later"),
                                      {.reason = "RATE", .rule = "night", .wait = absl::Minutes(10)})};
  const UploadResult result = Upload(SmallCrash());
  EXPECT_EQ(result.outcome, UploadOutcome::kUnreachable);
  EXPECT_EQ(result.reason, "not now (RATE): later");
  EXPECT_EQ(RefusalOf(result.status).wait, absl::Minutes(10));
  EXPECT_EQ(RefusalOf(result.status).rule, "night");
  EXPECT_EQ(server_.begins, 1);
}

TEST_F(UploaderTest, NotBeforeTheNextBootIsNotAgain) {
  server_.begin_faults = {
      WithRefusal(absl::UnavailableError("go away"), {.reason = "KILLED", .not_before_next_boot = true})};
  EXPECT_EQ(Upload(SmallCrash(), RetryPolicy::Endless()).outcome, UploadOutcome::kUnreachable);
  EXPECT_EQ(server_.begins, 1);
}

TEST_F(UploaderTest, GoesOnAsLongAsItPays) {
  RegionSet set;
  set.regions = {RegionOf("md_Kbig1.BIN", Noise(40 * kChunkBytes, 7))};
  server_.cut_every = 4;
  EXPECT_EQ(Upload(set, RetryPolicy::WhileItPays()).outcome, UploadOutcome::kStored);
  server_ = FakeIngestServer();
  server_.stream_faults = {{0, absl::UnavailableError("cut")}, {0, absl::UnavailableError("cut again")}};
  EXPECT_EQ(Upload(set, RetryPolicy::WhileItPays()).outcome, UploadOutcome::kUnreachable);
  EXPECT_EQ(server_.begins, 1);
}

TEST_F(UploaderTest, StopsWhenItMayNotSendAndKeepsWhatItSent) {
  RegionSet set;
  set.regions = {RegionOf("md_Kbig1.BIN", Noise(64 * kChunkBytes, 3))};
  uint64_t left = 20 * kChunkBytes;
  may_send_ = [&left](uint64_t bytes, Want) {
    if (bytes > left) return absl::ResourceExhaustedError("the day's bytes are spent");
    left -= bytes;
    return absl::OkStatus();
  };
  const UploadResult result = Upload(set);
  EXPECT_EQ(result.outcome, UploadOutcome::kStopped);
  EXPECT_EQ(result.reason, "the day's bytes are spent");
  EXPECT_TRUE(result.progressed);
  EXPECT_EQ(server_.durable.size(), 20u);

  left = ~uint64_t{0};
  EXPECT_EQ(Upload(set).outcome, UploadOutcome::kStored);
  EXPECT_EQ(server_.chunks_received, 64);
  ExpectStoredWhole(set);
}

TEST_F(UploaderTest, AsksOnceMoreWhenItKnowsWhatIsWanted) {
  server_.want = Want::kLogOnly;
  std::vector<Want> asked;
  may_send_ = [&asked](uint64_t, Want want) {
    asked.push_back(want);
    return absl::OkStatus();
  };
  Upload(SmallCrash());
  EXPECT_EQ(asked, (std::vector<Want>{Want::kAll, Want::kLogOnly, Want::kLogOnly}));
}

TEST_F(UploaderTest, NeverRepeatsWhatIsRefused) {
  for (const absl::StatusCode code : {absl::StatusCode::kInvalidArgument, absl::StatusCode::kPermissionDenied,
                                      absl::StatusCode::kUnauthenticated, absl::StatusCode::kUnimplemented}) {
    server_ = FakeIngestServer();
    server_.begin_faults = {absl::Status(code, "never")};
    const UploadResult result = Upload(SmallCrash(), RetryPolicy::Endless());
    EXPECT_EQ(result.outcome, UploadOutcome::kRefused);
    EXPECT_EQ(result.reason, "never");
    EXPECT_EQ(server_.begins, 1);
  }
}

TEST_F(UploaderTest, BeginsAgainWhenTheSessionIsGone) {
  server_.stream_faults = {{5, absl::UnavailableError("cut")}};
  server_.progress_faults = {absl::NotFoundError("expired")};
  EXPECT_EQ(Upload(SmallCrash()).outcome, UploadOutcome::kStored);
  EXPECT_EQ(server_.begins, 2);
  ExpectStoredWhole(SmallCrash());
}

TEST_F(UploaderTest, AnAnswerLostAtTheVeryEndIsStillItsOwnCrash) {
  server_.lost_finish_answers = 1;
  EXPECT_EQ(Upload(SmallCrash()).outcome, UploadOutcome::kStored);
}

TEST_F(UploaderTest, FinishTooEarlyAsksWhatIsMissing) {
  server_.finish_faults = {absl::FailedPreconditionError("chunks are missing")};
  EXPECT_EQ(Upload(SmallCrash()).outcome, UploadOutcome::kStored);
}

TEST_F(UploaderTest, GivesUpOnRootsThatNeverMatch) {
  server_.finish_faults.assign(10, absl::DataLossError("root of region 0"));
  const UploadResult result = Upload(SmallCrash(), RetryPolicy::Endless());
  EXPECT_EQ(result.outcome, UploadOutcome::kRefused);
  EXPECT_EQ(result.reason, "root of region 0");
}

TEST_F(UploaderTest, SaysSoonThatNobodyAnswers) {
  server_.begin_faults.assign(1000, absl::UnavailableError("connection refused"));
  const UploadResult result = Upload(SmallCrash());
  EXPECT_EQ(result.outcome, UploadOutcome::kUnreachable);
  EXPECT_EQ(result.reason, "connection refused");
  EXPECT_LE(clock_.Now() - absl::FromUnixSeconds(1000), absl::Seconds(5));
}

TEST_F(UploaderTest, ACollectorOutlastsAnyOutage) {
  server_.begin_faults.assign(1000, absl::UnavailableError("connection refused"));
  EXPECT_EQ(Upload(SmallCrash(), RetryPolicy::Endless()).outcome, UploadOutcome::kStored);
}

// Bytes that are others from the second reading on.
class ChangingSource final : public ByteSource {
 public:
  uint64_t size() const override { return 2 * kChunkBytes; }
  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override {
    std::fill(out.begin(), out.end(), static_cast<uint8_t>(reads_++ / 2));
    return absl::OkStatus();
  }

 private:
  mutable int reads_ = 0;
};

TEST_F(UploaderTest, NoticesFilesThatChangeBetweenAnnouncingAndSending) {
  RegionSet set;
  set.regions.push_back(RegionOf("md_Kprb22.BIN", "x"));
  set.regions[0].bytes = std::make_shared<ChangingSource>();
  const UploadResult result = Upload(set);
  EXPECT_EQ(result.outcome, UploadOutcome::kChanged);
  EXPECT_EQ(result.reason, "md_Kprb22.BIN: changed after it was announced");
  EXPECT_TRUE(server_.abandoned);
  EXPECT_EQ(server_.chunks_received, 0);
}

TEST_F(UploaderTest, KeepsToTheServersWindow) {
  RegionSet set;
  set.regions = {RegionOf("md_Kbig1.BIN", Noise(64 * kChunkBytes, 3))};
  server_.max_inflight_bytes = 512 * 1024;
  EXPECT_EQ(Upload(set).outcome, UploadOutcome::kStored);
  ExpectStoredWhole(set);
}

TEST_F(UploaderTest, RefusesASetThatNoServerTakes) {
  EXPECT_EQ(Upload(RegionSet()).outcome, UploadOutcome::kRefused);
  EXPECT_EQ(server_.begins, 0);
}

OutgoingChunk ChunkOf(uint64_t chunk, size_t bytes) {
  OutgoingChunk out{.region = 0, .chunk = chunk, .raw_size = kChunkBytes};
  out.encoded.bytes.assign(bytes, 'x');
  return out;
}

TEST(SendWindow, ACarefulStreamGrowsWithWhatItBroughtOver) {
  SendWindow window(8 << 20, kMaxWindowBytes, /*careful=*/true);
  EXPECT_EQ(window.message_bytes(), 0u);  // one chunk
  for (uint64_t i = 0; i < 40; ++i) {
    EXPECT_TRUE(window.Sending({ChunkOf(i, 60000)}));
    EXPECT_EQ(window.Acknowledged({{0, i, 1}}), kChunkBytes);
  }
  EXPECT_EQ(window.message_bytes(), 40 * 60000u / 16);
}

TEST(SendWindow, ACarefulStreamRisksOneChunkUntilItHasBroughtOverMany) {
  SendWindow window(8 << 20, kMaxWindowBytes, /*careful=*/true);
  uint64_t chunk = 0;
  for (; chunk < 16; ++chunk) {
    window.Sending({ChunkOf(chunk, 22000)});
    EXPECT_TRUE(window.full()) << "a link that is cut every 64 KiB gets one over";
    window.Acknowledged({{0, chunk, 1}});
  }
  window.Sending({ChunkOf(chunk, 22000)});
  EXPECT_FALSE(window.full());
}

TEST(SendWindow, AMessageIsWhatTheLinkCarriesInASecond) {
  SendWindow slow(8 << 20, kMaxWindowBytes, /*careful=*/false);
  SendWindow fast(8 << 20, kMaxWindowBytes, /*careful=*/false);
  constexpr uint64_t kFirst = 2 * kChunkBytes - 1;  // a whole chunk, or many that are small when encoded
  EXPECT_EQ(fast.message_bytes(), kFirst);
  for (uint64_t i = 0; i < 20; ++i) {
    fast.Sending({ChunkOf(i, 60000)});
    fast.Left(absl::Milliseconds(i));
    EXPECT_EQ(fast.message_bytes(), std::clamp<uint64_t>((i + 1) * 60000, kFirst, 256 << 10));
    slow.Sending({ChunkOf(i, 60000)});
    // The first ones lie in buffers: they say nothing of the link.
    slow.Left(absl::Seconds(i < 2 ? 0 : i));
    EXPECT_EQ(slow.message_bytes(), kFirst);
  }
  slow.Left(absl::Seconds(6));
  EXPECT_EQ(slow.message_bytes(), 200000u);
}

TEST(SendWindow, AStrangeServersAcknowledgementsCostNothing) {
  SendWindow window(8 << 20, kMaxWindowBytes, /*careful=*/false);
  window.Sending({ChunkOf(5, 100)});
  EXPECT_EQ(window.Acknowledged({{9, 0, ~uint64_t{0}}, {0, 1000, ~uint64_t{0}}}), 0u);
  EXPECT_EQ(window.Acknowledged({{0, 0, ~uint64_t{0}}}), kChunkBytes);
  EXPECT_TRUE(window.idle());
}

}  // namespace
}  // namespace corefleet

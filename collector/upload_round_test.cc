#include "collector/upload_round.h"

#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "collector/upload/fake_ingest_server.h"
#include "collector/upload/refusal.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

// A client that talks to a fake that outlives it.
class Borrowed final : public IngestClient {
 public:
  Borrowed(FakeIngestServer* server, std::vector<std::string>* named) : server_(server), named_(named) {}
  absl::StatusOr<BegunSession> Begin(const Introduction& crash) override {
    named_->push_back(crash.device.value());
    return server_->Begin(crash);
  }
  absl::StatusOr<SessionProgress> Progress(const SessionId& session) override {
    return server_->Progress(session);
  }
  std::unique_ptr<ChunkStream> PutChunks(const SessionId& session) override {
    return server_->PutChunks(session);
  }
  absl::StatusOr<StoredReceipt> Finish(const SessionId& session) override { return server_->Finish(session); }
  void Reconnect() override { server_->Reconnect(); }
  absl::Status Abandon(const SessionId& session) override { return server_->Abandon(session); }

 private:
  FakeIngestServer* server_;
  std::vector<std::string>* named_;
};

class UploadRoundsTest : public testing::Test {
 protected:
  UploadRoundsTest() {
    std::string name = absl::StrCat(testing::TempDir(), "/roundXXXXXX");
    root_ = mkdtemp(name.data());
    config_.servers = {"one:1", "two:2"};
    config_.device = DeviceId("edge-1");
    config_.schedule = {.interval = absl::Hours(1), .start_jitter = 0};
    Start();
  }
  ~UploadRoundsTest() override { std::filesystem::remove_all(root_); }

  // As after a restart.
  void Start() {
    rounds_.reset();
    spool_.reset();
    const DeviceTime time{&clock_, &boot_, "b1"};
    ledger_ = std::make_unique<AgentLedger>(root_ + "/agent.state", config_, time, [] { return 0.5; });
    sent_ = std::make_unique<SentMemory>(*SentCrashes::Open(root_ + "/sent", {"one", config_.device}));
    spool_ = *Spool::Open(*SpoolFolder::Open(root_ + "/spool"), {.min_free_bytes = 0, .min_free_inodes = 0},
                          {.clock = &boot_, .boot_id = "b1"});
    rounds_ = std::make_unique<UploadRounds>(UploadRounds::Dependencies{
        .config = &config_,
        .spool = spool_.get(),
        .sent = sent_.get(),
        .ledger = ledger_.get(),
        .clock = &clock_,
        .stop = &stop_,
        .random = [] { return 0.5; },
        .connect = [this](const std::string& address) -> absl::StatusOr<std::unique_ptr<IngestClient>> {
          connected_.push_back(address);
          if (address == down_) return absl::UnavailableError("nobody answers");
          return std::make_unique<Borrowed>(&server_, &named_);
        },
        .standing = [this] { return standing_; }});
  }

  SpoolId Put(const std::string& bytes) { return PutOf(config_.device, bytes); }
  SpoolId PutOf(const DeviceId& device, const std::string& bytes) {
    RegionSet set;
    set.regions.resize(1);
    set.regions[0].file_name = "md_Kprb22.BIN";
    set.regions[0].bytes = std::make_shared<MemorySource>(absl::string_view(bytes));
    const absl::StatusOr<PutResult> put = spool_->Put(set, {.device = device});
    EXPECT_TRUE(put.ok()) << put.status();
    return put.ok() ? put->id : 0;
  }

  uint64_t Counted(const std::string& name) { return ledger_->page().counts[name]; }
  std::string WaitsFor() { return ledger_->page().words["waiting_for"]; }

  std::string root_;
  CollectorConfig config_;
  FakeClock clock_{absl::FromUnixSeconds(1795000000)};
  FakeBootClock boot_;
  absl::Notification stop_;
  FakeIngestServer server_;
  std::string down_;
  std::vector<std::string> connected_;
  std::vector<std::string> named_;  // whose crashes the server was told they are
  Standing standing_;
  std::unique_ptr<AgentLedger> ledger_;
  std::unique_ptr<SentMemory> sent_;
  std::unique_ptr<Spool> spool_;
  std::unique_ptr<UploadRounds> rounds_;
};

TEST_F(UploadRoundsTest, TheCertificateNamesADeviceThatIsNotNamed) {
  Put("of this device");
  rounds_->Run();
  config_.named_by_certificate = true;
  Put("another of this device");
  rounds_->Run();
  PutOf(DeviceId("far-away"), "came on a stick");
  rounds_->Run();
  EXPECT_EQ(named_, (std::vector<std::string>{"edge-1", "", "far-away"}));
}

TEST_F(UploadRoundsTest, EmptiesTheSpool) {
  Put("one");
  Put("two");
  EXPECT_EQ(rounds_->Run(), absl::InfiniteDuration());
  EXPECT_TRUE(spool_->List().empty());
  EXPECT_EQ(Counted("uploads.stored"), 2u);
  EXPECT_GT(Counted("bytes_sent"), 0u);
}

TEST_F(UploadRoundsTest, TriesTheNextServerWhenOneDoesNotAnswer) {
  down_ = "one:1";
  Put("crash");
  rounds_->Run();
  EXPECT_TRUE(spool_->List().empty());
  EXPECT_EQ(connected_, (std::vector<std::string>{"one:1", "two:2"}));
}

TEST_F(UploadRoundsTest, KeepsACrashThatNoServerTakesNowAndBacksOff) {
  server_.begin_faults.assign(2, absl::UnavailableError("down"));
  Put("crash");
  const absl::Duration wait = rounds_->Run();
  EXPECT_EQ(wait, absl::Milliseconds(500));
  EXPECT_EQ(spool_->List().size(), 1u);
  EXPECT_EQ(WaitsFor(), "retry");
  EXPECT_EQ(server_.begins, 2);
}

TEST_F(UploadRoundsTest, ACrashThatFailsDoesNotHoldUpTheOthers) {
  const SpoolId bad = Put("the first");
  const SpoolId good = Put("the second");
  server_.begin_faults = {absl::InternalError("this one hurts")};
  rounds_->Run();
  EXPECT_EQ(spool_->List().size(), 2u);
  server_.begin_faults = {absl::OkStatus(), absl::InternalError("this one hurts")};
  rounds_->Run();
  EXPECT_FALSE(spool_->Find(good).ok() && spool_->Find(bad).ok());
}

TEST_F(UploadRoundsTest, AServersWaitIsKept) {
  server_.begin_faults = {WithRefusal(absl::ResourceExhaustedError("later"),
                                      {.reason = "FLEET_RATE", .wait = absl::Minutes(10)})};
  Put("crash");
  EXPECT_GE(rounds_->Run(), absl::Minutes(10));
  EXPECT_EQ(WaitsFor(), "server");
  ASSERT_TRUE(ledger_->Save(true).ok());
  Start();
  EXPECT_GE(ledger_->UntilDue(), absl::Minutes(10));
}

TEST_F(UploadRoundsTest, ARulesWaitHoldsUpOneCrashOnly) {
  server_.begin_faults = {
      WithRefusal(absl::ResourceExhaustedError("tomorrow"), {.reason = "QUOTA", .wait = absl::Hours(3)})};
  Put("one");
  Put("two");
  rounds_->Run();
  ASSERT_EQ(spool_->List().size(), 1u);
  EXPECT_GT(spool_->List()[0].wait, absl::Hours(2));
  EXPECT_EQ(Counted("uploads.stored"), 1u);
}

TEST_F(UploadRoundsTest, WhatIsRefusedForGoodGoesAndIsCountedUnderTheServersReason) {
  server_.begin_faults = {WithRefusal(absl::PermissionDeniedError("one in ten"), {.reason = "SAMPLED_OUT"})};
  Put("crash");
  const CrashUid uid = spool_->List()[0].uid;
  rounds_->Run();
  EXPECT_TRUE(spool_->List().empty());
  EXPECT_EQ(Counted("refused.sampled_out"), 1u);
  EXPECT_EQ(spool_->Losses().total(), 0u);
  EXPECT_TRUE(sent_->Has(uid));  // a folder that still has it does not bring it back
}

TEST_F(UploadRoundsTest, ARefusalThatMayBeAMistakeKeepsTheCrash) {
  for (const absl::Status& status :
       {absl::UnauthenticatedError("the certificate expired"), absl::PermissionDeniedError("a proxy's"),
        WithRefusal(absl::PermissionDeniedError("who?"), {.reason = "WRONG_DEVICE"}),
        absl::UnimplementedError("old")}) {
    server_.begin_faults = {status};
    Put("crash");
    EXPECT_GE(rounds_->Run(), absl::Minutes(30)) << status;
    EXPECT_EQ(spool_->List().size(), 1u) << status;
  }
}

TEST_F(UploadRoundsTest, ConsentThatIsTakenBackDropsWhatWaits) {
  Put("one");
  Put("two");
  standing_ = {.consent_needed = true, .consent_given = false};
  rounds_->Run();
  EXPECT_TRUE(spool_->List().empty());
  EXPECT_EQ(spool_->Losses().of(LossReason::kConsent), 2u);
  EXPECT_EQ(server_.begins, 0);
}

TEST_F(UploadRoundsTest, OnAMeteredLinkOnlyLogsLeave) {
  Put("crash");
  standing_ = {.on_metered = OnMeteredLink::kLogOnly, .link_metered = true};
  rounds_->Run();
  EXPECT_EQ(server_.chunks_received, 0);
  EXPECT_EQ(WaitsFor(), "metered_link");
  server_.want = Want::kLogOnly;
  rounds_->Run();
  EXPECT_EQ(server_.chunks_received, 1);
}

TEST_F(UploadRoundsTest, KeepsTheRestOfACrashThatWasTakenInPart) {
  server_.want = Want::kLogOnly;
  server_.ask_again = absl::Hours(6);
  Put("crash");
  rounds_->Run();
  ASSERT_EQ(spool_->List().size(), 1u);
  EXPECT_TRUE(spool_->List()[0].rest_only);
  EXPECT_GT(spool_->List()[0].wait, absl::Hours(5));
}

TEST_F(UploadRoundsTest, AStrictBudgetStopsHalfWayAndSurvivesARestart) {
  config_.budget = {.bytes_per_day = 300 << 10, .strict = true};
  Start();
  std::string noise(2 << 20, '\0');
  uint64_t seed = 1;
  for (char& byte : noise)
    byte = static_cast<char>((seed = seed * 6364136223846793005u + 1442695040888963407u) >> 56);
  Put(noise);
  EXPECT_GT(rounds_->Run(), absl::Hours(1));
  EXPECT_EQ(WaitsFor(), "budget");
  EXPECT_EQ(spool_->List().size(), 1u);
  const int received = server_.chunks_received;
  EXPECT_GT(received, 0);
  EXPECT_LT(received, 16);
  ASSERT_TRUE(ledger_->Save(true).ok());
  Start();
  rounds_->Run();
  EXPECT_EQ(server_.chunks_received, received);
}

TEST_F(UploadRoundsTest, ReportsTheDevicesLosses) {
  spool_->CountLoss(LossReason::kTooLarge, "x");
  Put("crash");
  rounds_->Run();
  EXPECT_EQ(server_.account.lost, (std::vector<std::pair<std::string, uint64_t>>{{"too_large", 1}}));
  EXPECT_FALSE(server_.account.epoch.empty());
}

TEST_F(UploadRoundsTest, StopsWhenAskedTo) {
  Put("crash");
  stop_.Notify();
  rounds_->Run();
  EXPECT_EQ(server_.begins, 0);
  EXPECT_EQ(spool_->List().size(), 1u);
}

}  // namespace
}  // namespace corefleet

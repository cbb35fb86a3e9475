#include "server/ingest/session_expiry.h"

#include <gtest/gtest.h>

#include "absl/strings/str_format.h"
#include "server/ingest/announced_crash.h"
#include "storage/memory/memory_crash_index.h"
#include "storage/memory/memory_pack_store.h"

namespace corefleet {
namespace {

class CountingMetrics final : public IngestMetrics {
 public:
  void SessionsExpired(int64_t count) override {
    absl::MutexLock lock(&mutex_);
    expired_ += count;
  }
  bool Await(int64_t count) {
    absl::MutexLock lock(&mutex_);
    const auto reached = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return expired_ >= count; };
    return mutex_.AwaitWithTimeout(absl::Condition(&reached), absl::Seconds(30));
  }
  void CrashReceived() override {
    absl::MutexLock lock(&mutex_);
    received_ = true;
  }
  bool AwaitCrash() {
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&received_), absl::Seconds(30));
  }

 private:
  absl::Mutex mutex_;
  int64_t expired_ ABSL_GUARDED_BY(mutex_) = 0;
  bool received_ ABSL_GUARDED_BY(mutex_) = false;
};

class SessionExpiryTest : public testing::Test {
 protected:
  SessionId Begin(int number, absl::Time expires_at) {
    Manifest manifest;
    manifest.regions.push_back({.file_name = "r", .size = static_cast<uint64_t>(number)});
    const SessionId id(absl::StrFormat("%032x", number));
    EXPECT_TRUE(index_.BeginSession(DeviceId("d"), manifest, "", SessionTerms(), id, clock_.Now(), expires_at)
                    .status()
                    .ok());
    return id;
  }

  MemoryCrashIndex index_;
  MemoryPackStore store_;
  FakeClock clock_{absl::FromUnixSeconds(1'800'000'000)};
  CountingMetrics metrics_;
  IngestLimits limits_;
  Ingestor ingestor_{{.index = &index_, .store = &store_, .clock = &clock_, .metrics = &metrics_}, limits_};
};

TEST_F(SessionExpiryTest, ForgetsAtOnceWhatExpiredWhileNoServerRan) {
  // More than go in one transaction.
  for (int i = 1; i <= 450; ++i) Begin(i, clock_.Now() - absl::Seconds(1));
  const SessionId open = Begin(1000, clock_.Now() + absl::Seconds(1));
  const SessionExpiry expiry(&index_, &ingestor_, &clock_, &metrics_, absl::Hours(1));
  EXPECT_TRUE(metrics_.Await(450));
  EXPECT_TRUE(index_.GetSession(open).ok());
  EXPECT_EQ(index_.Stats(0)->open_sessions, 1u);
}

TEST_F(SessionExpiryTest, APartOfACrashIsStillACrash) {
  const AnnouncedCrash crash({AnnouncedCrash::Noise(150'000, 1), "hello"});
  const DeviceCaller anyone = DeviceCaller::Anyone();
  const CrashOffer offer{.device = "d", .manifest = crash.manifest};
  const std::string session = ingestor_.Begin(anyone, offer)->session.value();
  const auto send = [&](uint32_t region, uint64_t chunk) {
    auto writer = *ingestor_.OpenWriter(anyone, session);
    ASSERT_TRUE(writer->Add(OwnedChunk(crash, region, chunk).view()).ok());
    ASSERT_TRUE(writer->Flush().ok());
  };
  send(0, 1);
  clock_.Advance(limits_.session_ttl + absl::Seconds(1));
  const SessionExpiry expiry(&index_, &ingestor_, &clock_, &metrics_, absl::Hours(1));
  ASSERT_TRUE(metrics_.AwaitCrash());
  const auto status = ingestor_.GetSession(anyone, session);
  ASSERT_EQ(status->state, SessionState::kComplete);
  const CrashId id = status->crash;
  EXPECT_EQ(index_.GetCrash(id)->here_bytes, kChunkBytes);
  EXPECT_EQ(index_.GetCrash(id)->raw_bytes, 150'005u);

  // The device comes back after all.
  const auto again = ingestor_.Begin(anyone, offer);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->state, SessionState::kOpen);
  EXPECT_EQ(again->crash, id);
  EXPECT_EQ(again->missing.size(), 3u);
  send(0, 0);
  send(0, 2);
  send(1, 0);
  const auto finished = ingestor_.Finish(anyone, session);
  ASSERT_TRUE(finished.ok()) << finished.status();
  EXPECT_EQ(finished->crash, id);
  EXPECT_FALSE(finished->already_stored);
  EXPECT_EQ(index_.GetCrash(id)->here_bytes, 150'005u);
  EXPECT_EQ(index_.Account()->accepted, 1u);
  EXPECT_EQ(index_.Account()->Difference(), 0);
}

TEST_F(SessionExpiryTest, GoesOnAfterAnOutage) {
  index_.SetStatus(absl::UnavailableError("down"));
  const SessionExpiry expiry(&index_, &ingestor_, &clock_, &metrics_, absl::Milliseconds(1));
  index_.SetStatus(absl::OkStatus());
  const SessionId id = Begin(1, clock_.Now() - absl::Seconds(1));
  EXPECT_TRUE(metrics_.Await(1));
  EXPECT_TRUE(absl::IsNotFound(index_.GetSession(id).status()));
}

}  // namespace
}  // namespace corefleet

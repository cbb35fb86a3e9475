#include "server/ingest/session_expiry.h"

#include <gtest/gtest.h>

#include "absl/strings/str_format.h"
#include "storage/memory/memory_crash_index.h"

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

 private:
  absl::Mutex mutex_;
  int64_t expired_ ABSL_GUARDED_BY(mutex_) = 0;
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
  FakeClock clock_{absl::FromUnixSeconds(1'800'000'000)};
  CountingMetrics metrics_;
};

TEST_F(SessionExpiryTest, ForgetsAtOnceWhatExpiredWhileNoServerRan) {
  // More than go in one transaction.
  for (int i = 1; i <= 450; ++i) Begin(i, clock_.Now() - absl::Seconds(1));
  const SessionId open = Begin(1000, clock_.Now() + absl::Seconds(1));
  const SessionExpiry expiry(&index_, &clock_, &metrics_, absl::Hours(1));
  EXPECT_TRUE(metrics_.Await(450));
  EXPECT_TRUE(index_.GetSession(open).ok());
  EXPECT_EQ(index_.Stats(0)->open_sessions, 1u);
}

TEST_F(SessionExpiryTest, GoesOnAfterAnOutage) {
  index_.SetStatus(absl::UnavailableError("down"));
  const SessionExpiry expiry(&index_, &clock_, &metrics_, absl::Milliseconds(1));
  index_.SetStatus(absl::OkStatus());
  const SessionId id = Begin(1, clock_.Now() - absl::Seconds(1));
  EXPECT_TRUE(metrics_.Await(1));
  EXPECT_TRUE(absl::IsNotFound(index_.GetSession(id).status()));
}

}  // namespace
}  // namespace corefleet

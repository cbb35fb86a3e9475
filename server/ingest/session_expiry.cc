#include "server/ingest/session_expiry.h"

#include <string>

#include "base/log.h"

namespace corefleet {
namespace {

// Sessions a transaction, and transactions a round: a fleet that went away must not hold the database up.
constexpr int64_t kBatch = 200;
constexpr int kBatches = 50;

}  // namespace

SessionExpiry::SessionExpiry(CrashIndex* index, const Clock* clock, IngestMetrics* metrics,
                             absl::Duration interval)
    : index_(index), clock_(clock), metrics_(metrics), interval_(interval) {
  thread_ = std::thread([this] { Watch(); });
}

SessionExpiry::~SessionExpiry() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

void SessionExpiry::Watch() {
  while (true) {
    ForgetExpired();
    absl::MutexLock lock(&mutex_);
    if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), interval_)) return;
  }
}

void SessionExpiry::ForgetExpired() {
  for (int i = 0; i < kBatches; ++i) {
    const auto gone = index_->ExpireSessions(clock_->Now(), kBatch, "never_sent");
    if (!gone.ok()) {
      Log(LogLevel::kWarning, "expired sessions stay for now", {{"why", gone.status().ToString()}});
      return;
    }
    if (*gone > 0) {
      metrics_->SessionsExpired(*gone);
      Log(LogLevel::kInfo, "sessions expired", {{"count", std::to_string(*gone)}});
    }
    if (*gone < kBatch) return;
  }
}

}  // namespace corefleet

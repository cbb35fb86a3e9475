#include "server/ingest/session_expiry.h"

#include <string>

#include "base/log.h"
#include "server/ingest/device_account.h"

namespace corefleet {
namespace {

// Sessions a transaction, and transactions a round: a fleet that went away must not hold the database up.
constexpr int64_t kBatch = 200;
constexpr int kBatches = 50;

}  // namespace

SessionExpiry::SessionExpiry(CrashIndex* index, Ingestor* ingestor, const Clock* clock,
                             IngestMetrics* metrics, absl::Duration interval)
    : index_(index), ingestor_(ingestor), clock_(clock), metrics_(metrics), interval_(interval) {
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
    FinishParts();
    absl::MutexLock lock(&mutex_);
    if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), interval_)) return;
  }
}

void SessionExpiry::ForgetExpired() {
  for (int i = 0; i < kBatches; ++i) {
    const auto gone = index_->ExpireSessions(clock_->Now(), kBatch, kNeverSent);
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

void SessionExpiry::FinishParts() {
  for (int i = 0; i < kBatches; ++i) {
    const auto expired = index_->ExpiredWithPacks(clock_->Now(), kBatch);
    if (!expired.ok()) {
      Log(LogLevel::kWarning, "expired parts stay for now", {{"why", expired.status().ToString()}});
      return;
    }
    for (const SessionId& session : *expired) {
      const absl::Status finished = ingestor_->FinishPart(session);
      if (!finished.ok()) {
        // The same ones would come first again: the next round tries them.
        Log(LogLevel::kWarning, "an expired part stays for now", {{"why", finished.ToString()}});
        return;
      }
    }
    if (!expired->empty()) {
      Log(LogLevel::kInfo, "parts of crashes finished", {{"count", std::to_string(expired->size())}});
    }
    if (static_cast<int64_t>(expired->size()) < kBatch) return;
  }
}

}  // namespace corefleet

#ifndef COREFLEET_COLLECTOR_SPOOL_SINK_H_
#define COREFLEET_COLLECTOR_SPOOL_SINK_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "collector/agent_ledger.h"
#include "collector/source/crash_source.h"
#include "collector/spool/sent_crashes.h"
#include "collector/spool/spool.h"

namespace corefleet {

// SentCrashes for two threads: one finds crashes, the other sends them.
class SentMemory {
 public:
  explicit SentMemory(SentCrashes sent) : sent_(std::move(sent)) {}
  bool Has(const CrashUid& uid) {
    const absl::MutexLock lock(&mutex_);
    return sent_.Has(uid);
  }
  absl::Status Add(const CrashUid& uid, const std::string& crash) {
    const absl::MutexLock lock(&mutex_);
    return sent_.Add(uid, crash);
  }

 private:
  absl::Mutex mutex_;
  SentCrashes sent_ ABSL_GUARDED_BY(mutex_);
};

// Puts what sources find into the spool, and logs it. One thread at a time.
class SpoolSink final : public CrashSink {
 public:
  // The pointers must outlive it.
  SpoolSink(Spool* spool, AgentLedger* ledger, DeviceTime time, DeviceId device, std::string note)
      : spool_(spool),
        ledger_(ledger),
        time_(std::move(time)),
        device_(std::move(device)),
        note_(std::move(note)) {}

  // kSafe: it is durable in the spool, or was sent before. kRefused: it can never be sent as it is, and was
  // counted. Else the spool's codes: the device's own copy stays, and is offered again.
  absl::StatusOr<Fate> Accept(const FoundCrash& crash) override;

 private:
  Fate Spooled(const FoundCrash& crash, const PutResult& put);
  absl::StatusOr<Fate> NotSpooled(const FoundCrash& crash, const absl::Status& status);

  Spool* spool_;
  AgentLedger* ledger_;
  DeviceTime time_;
  DeviceId device_;
  std::string note_;
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SPOOL_SINK_H_

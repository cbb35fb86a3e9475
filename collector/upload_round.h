#ifndef COREFLEET_COLLECTOR_UPLOAD_ROUND_H_
#define COREFLEET_COLLECTOR_UPLOAD_ROUND_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "collector/agent_ledger.h"
#include "collector/config/collector_config.h"
#include "collector/policy/permission.h"
#include "collector/spool/spool.h"
#include "collector/spool_sink.h"
#include "collector/upload/ingest_client.h"
#include "collector/upload/uploader.h"

namespace corefleet {

// A clock on which nobody sleeps past `stop`. Thread-safe.
class StoppableClock final : public Clock {
 public:
  // Both must outlive it.
  StoppableClock(Clock* clock, absl::Notification* stop) : clock_(clock), stop_(stop) {}
  absl::Time Now() const override { return clock_->Now(); }
  void Sleep(absl::Duration duration) override;

 private:
  Clock* clock_;
  absl::Notification* stop_;
};

// Sends what waits in the spool, as far as consent, the link, the budget and the servers allow. Rounds run
// one after another, in any one thread; between them nothing is open.
//
// No crash holds up the others: one whose upload failed is tried again after those that failed less often.
class UploadRounds {
 public:
  struct Dependencies {
    const CollectorConfig* config;
    Spool* spool;
    SentMemory* sent;
    AgentLedger* ledger;
    Clock* clock;              // sleeps end with `stop`
    absl::Notification* stop;  // ends the round at the next message
    std::function<double()> random;
    // A client for the server at an address.
    std::function<absl::StatusOr<std::unique_ptr<IngestClient>>(const std::string& address)> connect;
    // Where the device stands now: asked right before anything leaves.
    std::function<Standing()> standing;
    // Fills in what can be read of an entry that nobody looked into yet; may be empty.
    std::function<void(const SpoolEntry&)> read_clues;
  };

  explicit UploadRounds(Dependencies dependencies) : deps_(std::move(dependencies)) {}

  // One round. Gives back how long nothing can change by itself; InfiniteDuration when nothing waits. The
  // reason is in the ledger's "waiting_for".
  absl::Duration Run();

  // Ends the call that is under way, if any. Thread-safe.
  void Cancel();

 private:
  // What an attempt makes of the round.
  enum class Next {
    kGoOn,      // with the next crash
    kEndRound,  // wait_ says for how long
  };

  std::optional<SpoolEntry> PickEntry() const;
  bool MayBegin();
  Next SendOne(const SpoolEntry& entry);
  Next TryServers(const SpoolEntry& entry, OutgoingCrash* crash);
  // What the server is told whose crash it is; empty: the certificate says it.
  DeviceId NameFor(const SpoolEntry& entry) const;
  UploadResult Upload(const SpoolEntry& entry, OutgoingCrash* crash, IngestClient* client);
  Next Conclude(const SpoolEntry& entry, const UploadResult& result);
  Next Stored(const SpoolEntry& entry, const UploadResult& result);
  Next Refused(const SpoolEntry& entry, const UploadResult& result);
  Next Unreachable(const SpoolEntry& entry, const UploadResult& result);
  Next Unreadable(const SpoolEntry& entry, const absl::Status& status);
  absl::Status MaySend(uint64_t bytes, Want want);
  absl::Status Allowed();
  void DropForWantOfConsent();
  Next EndRound(absl::Duration wait, const std::string& why);
  Next Failure(const SpoolEntry& entry, absl::Duration server_delay, bool not_before_next_boot,
               const std::string& why);
  absl::StatusOr<IngestClient*> Connect();
  void Disconnect();
  DeviceAccount Account();

  Dependencies deps_;
  size_t server_ = 0;                   // index of the one that answered last
  std::map<SpoolId, int> failures_;     // in this process
  std::set<SpoolId> done_;              // tried in this round
  std::optional<LossAccount> account_;  // what went along with the crash under way
  uint64_t unsaved_bytes_ = 0;
  absl::Duration wait_ = absl::InfiniteDuration();

  absl::Mutex mutex_;
  std::unique_ptr<IngestClient> client_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_UPLOAD_ROUND_H_

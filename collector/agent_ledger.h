#ifndef COREFLEET_COLLECTOR_AGENT_LEDGER_H_
#define COREFLEET_COLLECTOR_AGENT_LEDGER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "collector/config/collector_config.h"
#include "collector/device_time.h"
#include "collector/policy/send_budget.h"
#include "collector/policy/upload_schedule.h"

namespace corefleet {

// What the agent must not forget over a restart, and what `status` and the metrics tell. As text in a file:
// lines of "name value".
struct AgentPage {
  std::optional<SendBudget::State> budget;
  std::optional<UploadSchedule::State> schedule;
  // "collected", "uploads.stored", "refused.SAMPLED_OUT", "bytes_sent": since the page was begun.
  std::map<std::string, uint64_t> counts;
  // "last_success", "last_error", "last_error_at", "waiting_for": one line each.
  std::map<std::string, std::string> words;
};

std::string FormatAgentPage(const AgentPage& page);
// Total: what makes no sense is left out.
AgentPage ParseAgentPage(absl::string_view text);
// NOT_FOUND and OpenNamedFile's codes.
absl::StatusOr<AgentPage> ReadAgentPage(const std::string& path);

// The page while the agent runs, with the budget and the schedule that it holds. Thread-safe.
class AgentLedger {
 public:
  // Goes on from the page at `path`, if there is one that can be read.
  AgentLedger(std::string path, const CollectorConfig& config, DeviceTime time,
              std::function<double()> random);

  void Count(const std::string& name, uint64_t by = 1);
  void Say(const std::string& name, const std::string& words);
  void SayError(absl::string_view words);

  // SendBudget's and UploadSchedule's, now.
  absl::Duration UntilCrash();
  absl::Duration UntilBytes();
  absl::Duration Pace(uint64_t bytes);
  void BytesSent(uint64_t bytes);
  void CrashSent();
  absl::Duration UntilDue();
  void Progressed();
  void RoundDone();
  void Failed(absl::Duration server_delay, bool not_before_next_boot);

  AgentPage page();
  // Writes the page. Not OK: the counts are in memory only.
  absl::Status Save(bool sync);

 private:
  AgentPage PageLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string path_;
  const DeviceTime time_;
  absl::Mutex mutex_;
  AgentPage page_ ABSL_GUARDED_BY(mutex_);
  SendBudget budget_ ABSL_GUARDED_BY(mutex_);
  UploadSchedule schedule_ ABSL_GUARDED_BY(mutex_);
};

// Where the agent keeps its page.
std::string AgentPagePath(const CollectorConfig& config);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_AGENT_LEDGER_H_

#ifndef COREFLEET_COLLECTOR_AGENT_REPORT_H_
#define COREFLEET_COLLECTOR_AGENT_REPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "collector/agent_ledger.h"
#include "collector/config/collector_config.h"
#include "collector/device_time.h"
#include "collector/policy/permission.h"
#include "collector/spool/spool.h"

namespace corefleet {

// Everything that there is to say about an agent, running or not. Values only.
struct AgentReport {
  const CollectorConfig& config;
  const std::vector<SpoolEntry>& entries;  // in the order of sending
  const SpoolStats& spool;
  const LossAccount& losses;
  const AgentPage& page;
  Standing standing;
  Moment now;
};

// For a person, and as one line of JSON (docs/collector.md has the fields). What a device said is escaped.
std::string ReportText(const AgentReport& report);
std::string ReportJson(const AgentReport& report);

// Prometheus' text: docs/collector.md has the metrics.
std::string MetricsText(const SpoolStats& spool, const LossAccount& losses, const AgentPage& page,
                        uint64_t wakeups);

// Why nothing leaves now, in one word: "", "consent", "metered_link", "budget", "server", "retry",
// "interval".
std::string WaitingFor(const AgentReport& report);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_AGENT_REPORT_H_

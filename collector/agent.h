#ifndef COREFLEET_COLLECTOR_AGENT_H_
#define COREFLEET_COLLECTOR_AGENT_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "collector/config/collector_config.h"
#include "collector/device_time.h"
#include "collector/policy/permission.h"
#include "collector/service_notice.h"
#include "collector/upload/ingest_client.h"

namespace corefleet {

enum class AgentEnd {
  kStopped,  // SIGTERM or SIGINT
  kReload,   // SIGHUP
};

// Keeps SIGTERM, SIGINT and SIGHUP from ending the program: the agent reads them from a descriptor. Call it
// from main, before any thread starts.
void HoldSignals();

// The agent: sources -> spool -> server, until a signal comes. One thread finds and spools, a second one,
// there only while something can be sent, sends. Idle, it wakes up a few times an hour. On a signal it stops
// at a message's end, within two seconds; what was acknowledged never travels again.
//   UNAVAILABLE         another agent has the spool, or the state folder cannot be used
//   PERMISSION_DENIED   as the system said
absl::StatusOr<AgentEnd> RunAgent(const CollectorConfig& config, const ServiceNotice& notice);

// Where a device stands now, by the files and the routing table that the configuration names.
Standing StandingOf(const CollectorConfig& config);

// The device's clocks, and this boot's id.
DeviceTime ThisDevicesTime();

// A client of the server at `address`, as the configuration says to speak to it. Codes: MakeChannel's.
absl::StatusOr<std::unique_ptr<IngestClient>> ConnectTo(const std::string& address,
                                                        const CollectorConfig& config);

// The spool's folder.
std::string SpoolPath(const CollectorConfig& config);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_AGENT_H_

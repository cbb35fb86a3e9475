#ifndef COREFLEET_COLLECTOR_CONFIG_COLLECTOR_CONFIG_H_
#define COREFLEET_COLLECTOR_CONFIG_COLLECTOR_CONFIG_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "collector/policy/permission.h"
#include "collector/policy/send_budget.h"
#include "collector/policy/upload_schedule.h"
#include "collector/spool/spool.h"
#include "core/crash/ids.h"

namespace corefleet {

// Where crashes appear.
struct SourceSettings {
  std::string path;
  std::string kinfo;
  bool release = true;  // let the device's own copy go once the spool has it
  absl::Duration settle = absl::Seconds(5);
  absl::Duration patience = absl::Seconds(60);
};

struct TlsSettings {
  std::string root_file, certificate_file, key_file, server_name;
  bool in_use = false;  // the file has a tls block
};

// What the agent was told, checked, with every default in place (proto/corefleet/v1/collector_config.proto
// has the words).
struct CollectorConfig {
  std::vector<std::string> servers;  // 1 to 8, HOST:PORT
  DeviceId device;
  // The file names no device and has a certificate: what servers are told is the certificate, and `device`,
  // the host's name, is for this device's own books.
  bool named_by_certificate = false;
  std::string note;
  std::string state_dir = "/var/lib/corefleet-collector";
  std::vector<SourceSettings> sources;
  SpoolLimits spool;
  std::string consent_file;  // "" when no consent is needed
  UploadSchedule::Options schedule;
  BudgetLimits budget;
  OnMeteredLink on_metered = OnMeteredLink::kNever;
  std::string metered_file;
  std::vector<std::string> metered_interfaces;
  TlsSettings tls;
  bool insecure = false;
  std::string metrics_file;
  bool verbose = false;
};

// What a machine is called when the file does not say.
struct ConfigDefaults {
  std::string device;
};

// INVALID_ARGUMENT, with a line for each thing that is wrong, "LINE: FIELD: what is allowed"; LINE is missing
// when the field is.
absl::StatusOr<CollectorConfig> ParseCollectorConfig(absl::string_view text, const ConfigDefaults& defaults);

// The same of a file of at most 1 MiB. NOT_FOUND, PERMISSION_DENIED and the like if it cannot be read.
absl::StatusOr<CollectorConfig> ReadCollectorConfig(const std::string& path);

// A file that says the same with every field written out.
std::string EffectiveConfig(const CollectorConfig& config);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_CONFIG_COLLECTOR_CONFIG_H_

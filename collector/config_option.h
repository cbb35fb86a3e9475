#ifndef COREFLEET_COLLECTOR_CONFIG_OPTION_H_
#define COREFLEET_COLLECTOR_CONFIG_OPTION_H_

#include <iostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "cli/arguments.h"
#include "cli/exit_code.h"
#include "collector/config/collector_config.h"

namespace corefleet {

// The command line of a verb that works on an agent's configuration.
struct ConfiguredCall {
  Arguments arguments;
  std::string path;
  CollectorConfig config;
};

// Parses `words`: `options` and --config FILE. INVALID_ARGUMENT with what is wrong, also with the file.
inline absl::StatusOr<ConfiguredCall> ParseConfiguredCall(const std::vector<std::string>& words,
                                                          std::vector<Option> options) {
  options.push_back({"config", 0, "FILE", "the agent's configuration"});
  ConfiguredCall call;
  ASSIGN_OR_RETURN(call.arguments, ParseArguments(words, options));
  call.path = call.arguments.Get("config");
  if (call.path.empty()) return absl::InvalidArgumentError("--config FILE is missing");
  absl::StatusOr<CollectorConfig> config = ReadCollectorConfig(call.path);
  if (!config.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(call.path, ":\n", config.status().message()));
  }
  call.config = *std::move(config);
  return call;
}

// Says what went wrong; gives back the exit code.
inline int SayWrong(absl::string_view verb, const absl::Status& status) {
  std::cerr << "corefleet-collector " << verb << ": " << status.message() << "\n";
  return ExitCodeFor(status.code());
}

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_CONFIG_OPTION_H_

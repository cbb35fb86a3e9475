#include <iostream>
#include <string>
#include <vector>

#include "collector/config_option.h"
#include "collector/verbs.h"

namespace corefleet {

int RunCheckConfig(const std::vector<std::string>& words) {
  if (words.size() != 1) return SayWrong("check-config", absl::InvalidArgumentError("name one file"));
  const absl::StatusOr<CollectorConfig> config = ReadCollectorConfig(words[0]);
  if (!config.ok()) {
    std::cerr << words[0] << ":\n" << config.status().message() << "\n";
    return kUsage;
  }
  std::cout << EffectiveConfig(*config);
  return kDone;
}

}  // namespace corefleet

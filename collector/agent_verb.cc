#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "collector/agent.h"
#include "collector/agent_report.h"
#include "collector/config_option.h"
#include "collector/source/find_crashes.h"
#include "collector/verbs.h"
#include "core/bytes/escape.h"

namespace corefleet {
namespace {

// Says what would be spooled, and lets it lie.
class Onlooker final : public CrashSink {
 public:
  absl::StatusOr<Fate> Accept(const FoundCrash& crash) override {
    uint64_t bytes = 0;
    for (const Region& region : crash.regions.regions) bytes += region.bytes->size();
    std::cout << "would spool " << EscapeForTerminal(crash.path) << ": " << crash.regions.regions.size()
              << " regions, " << bytes << " bytes, from " << crash.source << "\n";
    return Fate::kRefused;  // nothing of it may be released
  }
};

void SayWhatIsFound(const CollectorConfig& config) {
  Onlooker onlooker;
  for (const SourceSettings& source : config.sources) {
    const SourceOptions options{.kinfo = source.kinfo, .on_nothing = [](const std::string& path) {
                                  std::cout << "nothing waits in " << EscapeForTerminal(path) << "\n";
                                }};
    const absl::Status status = NamedPaths({source.path}, options).Drain(onlooker);
    if (!status.ok())
      std::cout << "nothing from " << EscapeForTerminal(source.path) << ": " << status.message() << "\n";
  }
}

int DryRun(const ConfiguredCall& call) {
  const Standing standing = StandingOf(call.config);
  if (standing.consent_needed && !standing.consent_given) {
    std::cout << "would spool nothing: there is no consent (" << call.config.consent_file << ")\n";
  } else {
    SayWhatIsFound(call.config);
  }
  std::cout << "what waits already:\n";
  return RunStatus({"--config", call.path});
}

}  // namespace

int RunAgentVerb(const std::vector<std::string>& words) {
  absl::StatusOr<ConfiguredCall> call = ParseConfiguredCall(
      words, {{"dry-run", 0, "", "say what would be found, spooled and sent, and change nothing"}});
  if (!call.ok()) return SayWrong("agent", call.status());
  AllowManyOpenFiles();
  if (call->arguments.Has("dry-run")) return DryRun(*call);
  HoldSignals();
  const ServiceNotice notice;
  for (;;) {
    if (call->config.verbose) SetLogLevel(LogLevel::kDebug);
    const absl::StatusOr<AgentEnd> end = RunAgent(call->config, notice);
    if (!end.ok()) return SayWrong("agent", end.status());
    if (*end == AgentEnd::kStopped) return kDone;
    notice.Reloading();
    absl::StatusOr<CollectorConfig> config = ReadCollectorConfig(call->path);
    if (config.ok()) {
      call->config = *std::move(config);
      Log(LogLevel::kInfo, "configuration read again", {{"file", call->path}});
    } else {
      Log(LogLevel::kError, "the configuration is wrong: the one before stays in use",
          {{"file", call->path}, {"reason", std::string(config.status().message())}});
    }
  }
}

}  // namespace corefleet

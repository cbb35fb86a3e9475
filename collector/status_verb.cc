#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/agent.h"
#include "collector/agent_report.h"
#include "collector/config_option.h"
#include "collector/verbs.h"

namespace corefleet {
namespace {

// OK, or why nothing can be said of the spool: a folder whose files are another user's would look empty.
absl::Status MayRead(const std::string& path, SpoolFolder* folder) {
  const auto files = folder->List();
  if (!files.ok()) return absl::OkStatus();  // the spool says it better
  for (const SpoolFolder::Listed& file : *files) {
    const absl::Status read = folder->Read(file.name).status();
    // One that went meanwhile was sent, or dropped.
    if (!read.ok() && !absl::IsNotFound(read))
      return absl::Status(read.code(), absl::StrCat(path, ": ", read.message()));
  }
  return absl::OkStatus();
}

}  // namespace

// Reads what the agent has put down; it may run meanwhile, or not.
int RunStatus(const std::vector<std::string>& words) {
  const absl::StatusOr<ConfiguredCall> call =
      ParseConfiguredCall(words, {{"json", 0, "", "one line of JSON instead of text"}});
  if (!call.ok()) return SayWrong("status", call.status());
  const DeviceTime time = ThisDevicesTime();
  absl::StatusOr<std::unique_ptr<Spool>> spool = absl::NotFoundError("no spool");
  absl::StatusOr<std::unique_ptr<SpoolFolder>> folder = SpoolFolder::OpenToRead(SpoolPath(call->config));
  if (folder.ok()) {
    const absl::Status may = MayRead(SpoolPath(call->config), folder->get());
    if (!may.ok()) return SayWrong("status", may);
    spool = Spool::Open(*std::move(folder), call->config.spool, {.boot_id = time.boot_id});
  } else if (absl::IsPermissionDenied(folder.status())) {
    return SayWrong("status", folder.status());
  }
  const absl::StatusOr<AgentPage> page = ReadAgentPage(AgentPagePath(call->config));
  const std::vector<SpoolEntry> entries = spool.ok() ? (*spool)->List() : std::vector<SpoolEntry>();
  const AgentReport report{.config = call->config,
                           .entries = entries,
                           .spool = spool.ok() ? (*spool)->Stats() : SpoolStats(),
                           .losses = spool.ok() ? (*spool)->Losses() : LossAccount(),
                           .page = page.ok() ? *page : AgentPage(),
                           .standing = StandingOf(call->config),
                           .now = time.Now()};
  std::cout << (call->arguments.Has("json") ? ReportJson(report) : ReportText(report));
  return kDone;
}

}  // namespace corefleet

#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "collector/agent.h"
#include "collector/config_option.h"
#include "collector/spool/transfer.h"
#include "collector/verbs.h"
#include "core/bytes/escape.h"

namespace corefleet {
namespace {

// The spool, for this program alone: UNAVAILABLE while the agent runs.
absl::StatusOr<std::unique_ptr<Spool>> OpenSpool(const CollectorConfig& config) {
  absl::StatusOr<std::unique_ptr<SpoolFolder>> folder = SpoolFolder::Open(SpoolPath(config));
  if (!folder.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat(folder.status().message(), " (an agent that runs has to be stopped first)"));
  }
  return Spool::Open(*std::move(folder), config.spool, {.boot_id = ThisDevicesTime().boot_id});
}

// Entries leave with the device's name on them: elsewhere nobody else knows it.
absl::StatusOr<int> ExportAll(const ConfiguredCall& call, Spool* spool, const std::string& folder) {
  int failed = 0;
  for (const SpoolEntry& entry : spool->List()) {
    const absl::StatusOr<std::string> file = ExportEntry(spool, entry.id, folder);
    if (!file.ok()) {
      std::cerr << "corefleet-collector export: entry " << entry.id << ": " << file.status().message()
                << "\n";
      ++failed;
      continue;
    }
    std::cout << EscapeForTerminal(*file) << "\n";
    // It is there, whole, and was read back: only now may it go.
    if (call.arguments.Has("remove")) RETURN_IF_ERROR(spool->Sent(entry.id));
  }
  return failed;
}

}  // namespace

int RunExport(const std::vector<std::string>& words) {
  const absl::StatusOr<ConfiguredCall> call = ParseConfiguredCall(
      words, {{"to", 0, "FOLDER", "where to"}, {"remove", 0, "", "take from the spool what is safe there"}});
  if (!call.ok()) return SayWrong("export", call.status());
  const std::string folder = call->arguments.Get("to");
  if (folder.empty()) return SayWrong("export", absl::InvalidArgumentError("--to FOLDER is missing"));
  const absl::StatusOr<std::unique_ptr<Spool>> spool = OpenSpool(call->config);
  if (!spool.ok()) return SayWrong("export", spool.status());
  const absl::StatusOr<int> failed = ExportAll(*call, spool->get(), folder);
  if (!failed.ok()) return SayWrong("export", failed.status());
  return *failed == 0 ? kDone : kNotFoundOrRefused;
}

int RunImport(const std::vector<std::string>& words) {
  const absl::StatusOr<ConfiguredCall> call =
      ParseConfiguredCall(words, {{"device", 0, "NAME", "whose crash it is, where the file does not say"}});
  if (!call.ok()) return SayWrong("import", call.status());
  const std::vector<std::string>& files = call->arguments.operands();
  if (files.empty()) return SayWrong("import", absl::InvalidArgumentError("name at least one file"));
  const absl::StatusOr<std::unique_ptr<Spool>> spool = OpenSpool(call->config);
  if (!spool.ok()) return SayWrong("import", spool.status());
  const DeviceId device(call->arguments.Get("device"));
  int failed = 0;
  for (const std::string& file : files) {
    const absl::StatusOr<PutResult> put = ImportFile(spool->get(), file, device);
    if (put.ok()) {
      std::cout << put->uid.value() << "  " << EscapeForTerminal(file) << "\n";
      continue;
    }
    std::cerr << "corefleet-collector import: " << EscapeForTerminal(file) << ": " << put.status().message()
              << "\n";
    ++failed;
  }
  return failed == 0 ? kDone : kNotFoundOrRefused;
}

}  // namespace corefleet

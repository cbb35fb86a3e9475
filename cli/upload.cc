#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "cli/analysis_wait.h"
#include "cli/crash_table.h"
#include "cli/found_crash.h"
#include "cli/json.h"
#include "cli/progress_bar.h"
#include "cli/verb.h"
#include "collector/source/find_crashes.h"
#include "collector/upload/channel.h"
#include "collector/upload/grpc_ingest_client.h"
#include "collector/upload/uploader.h"
#include "core/bytes/escape.h"

namespace corefleet {
namespace {

constexpr absl::Duration kConnectTimeout = absl::Seconds(4);
constexpr absl::Duration kAnalysisTimeout = absl::Seconds(120);
// Files that a download tool is still writing: how often they are opened anew.
constexpr int kMaxReopened = 3;

// Sends what some paths hold, one crash after another, and prints what became of each.
class UploadRun {
 public:
  // `kinfo`: AttachKinfo's path, or empty.
  UploadRun(const Uploader::Options& options, std::string kinfo, IngestClient* client,
            const Surroundings& where)
      : options_(options), kinfo_(std::move(kinfo)), client_(client), where_(where) {}

  void SendAll(const std::string& path) {
    const absl::StatusOr<std::vector<CrashLocation>> crashes = FindCrashes(path);
    if (!crashes.ok()) return Print(path, Unusable(crashes.status()));
    if (crashes->empty()) return Print(path, Unusable(absl::NotFoundError("no crash waits in it")));
    for (const CrashLocation& crash : *crashes) Print(crash.path(), Send(crash));
  }

  int exit_code() const { return exit_code_; }
  const std::vector<std::string>& stored() const { return stored_; }

 private:
  static UploadResult Unusable(const absl::Status& status) {
    return {UploadOutcome::kRefused, "", std::string(status.message())};
  }

  absl::StatusOr<FoundCrash> Open(const CrashLocation& location) {
    ASSIGN_OR_RETURN(FoundCrash crash, OpenCrash(location));
    if (!kinfo_.empty()) RETURN_IF_ERROR(AttachKinfo(kinfo_, location, &crash));
    return crash;
  }

  UploadResult Send(const CrashLocation& location) {
    UploadResult result;
    for (int i = 0; i < kMaxReopened; ++i) {
      const absl::StatusOr<FoundCrash> crash = Open(location);
      if (!crash.ok()) return Unusable(crash.status());
      if (i == 0) PrintRemarks(*crash, where_);
      ProgressBar bar(where_, "uploading");
      Uploader uploader(options_, {.client = client_,
                                   .clock = where_.clock,
                                   .random = SystemRandom(),
                                   .on_progress = [&](const UploadProgress& progress) {
                                     bar.Show(progress.durable_bytes, progress.total_bytes);
                                   }});
      result = uploader.Upload(crash->regions);
      if (result.outcome != UploadOutcome::kChanged) break;
    }
    return result;
  }

  void Print(const std::string& path, const UploadResult& result) {
    const std::string outcome(OutcomeName(result.outcome));
    if (where_.json) {
      *where_.out << absl::StrCat("{\"path\":", JsonString(path), ",\"id\":", JsonString(result.crash),
                                  ",\"outcome\":\"", outcome, "\",\"reason\":", JsonString(result.reason),
                                  "}\n");
    } else if (result.crash.empty()) {
      *where_.err << absl::StrCat("corefleet: ", EscapeForTerminal(path), ": ",
                                  EscapeForTerminal(result.reason), "\n");
    } else {
      *where_.out << absl::StrCat(ShortId(result.crash), "  ", outcome, "  ", EscapeForTerminal(path), "\n");
    }
    where_.out->flush();
    if (!result.crash.empty()) stored_.push_back(result.crash);
    const int code = !result.crash.empty()                           ? kDone
                     : result.outcome == UploadOutcome::kUnreachable ? kUnreachable
                                                                     : kNotFoundOrRefused;
    exit_code_ = std::max(exit_code_, code);
  }

  const Uploader::Options& options_;
  const std::string kinfo_;
  IngestClient* client_;
  const Surroundings& where_;
  std::vector<std::string> stored_;
  int exit_code_ = kDone;
};

int WaitForAnalysis(const std::vector<std::string>& crashes, const Surroundings& where) {
  absl::StatusOr<ArchiveConnection> archive = ArchiveConnection::To(where);
  if (!archive.ok()) return Fail(where, archive.status());
  for (const std::string& id : crashes) {
    const absl::Status status = PollUntil(where.clock, kAnalysisTimeout, [&] {
                                  return ReadCrash(id, /*may_come=*/false, &*archive);
                                }).status();
    if (absl::IsDeadlineExceeded(status)) {
      *where.err << "corefleet: " << ShortId(id) << " is stored, and not read after two minutes\n";
      return kTimedOut;
    }
    if (!status.ok()) return Fail(where, status);
  }
  return kDone;
}

std::string HostName() {
  char name[256] = {};
  if (gethostname(name, sizeof(name) - 1) != 0 || name[0] == '\0') return "unnamed";
  return name;
}

int Run(const Arguments& arguments, const Surroundings& where) {
  const absl::StatusOr<DeviceId> device = ParseDeviceId(arguments.Get("device", HostName()));
  if (!device.ok()) return Fail(where, device.status());
  const auto channel = MakeChannel(where.ingest, where.ingest_security);
  if (!channel.ok()) return Fail(where, channel.status());
  const bool reachable = IsReachable(channel->get(), where.clock, kConnectTimeout);
  if (!reachable) return Fail(where, NobodyAnswers(where.ingest, where.ingest_security, "ingest"));
  const auto new_channel = [&where] {
    return MakeChannel(where.ingest, where.ingest_security).value_or(nullptr);
  };
  GrpcIngestClient client(*channel, {.new_channel = new_channel}, where.clock);
  const Uploader::Options options{
      .device = *device, .note = arguments.Get("note"), .retry = RetryPolicy::Interactive()};
  UploadRun run(options, arguments.Get("kinfo"), &client, where);
  for (const std::string& path : arguments.operands()) run.SendAll(path);
  if (!arguments.Has("wait")) return run.exit_code();
  return std::max(run.exit_code(), WaitForAnalysis(run.stored(), where));
}

}  // namespace

Verb UploadVerb() {
  return {
      .name = "upload",
      .operands = "PATH...",
      .min_operands = 1,
      .max_operands = 100000,
      .summary = "send crashes: whatever a device left, or folders of it",
      .details =
          "PATH is told by its content: a folder of region files (as edl or qdl leaves them), a Raw_Dmp!\n"
          "container (a file, or a partition), a QAIC blob, pstore files, a ramoops image, a vmcore in any "
          "of\n"
          "kdump's formats, a co-processor's dump, a kernel log as text; or a folder of such things, each "
          "of\n"
          "them one crash. Any other file is kept as it is. Sending a crash twice is no harm: it stays one.\n"
          "A cut upload goes on where it stopped when it is repeated.\n\n"
          "  corefleet upload ./memory --device lab-7 --note 'after the firmware update'\n"
          "  corefleet upload /dev/block/by-name/rawdump /sys/fs/pstore /var/crash\n"
          "  corefleet upload --wait --json ./crashes | jq -r .id",
      .options = {{"device", 'd', "NAME", "whose crash it is (default: this host's name)"},
                  {"note", 0, "TEXT", "kept with the crash"},
                  {"kinfo", 0, "FILE",
                   "a Debug Kinfo area to send with every region folder and Raw_Dmp! container"},
                  {"wait", 'w', "", "return when the server has read it"}},
      .run = Run};
}

}  // namespace corefleet

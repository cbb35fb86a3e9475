#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "cli/arguments.h"
#include "cli/duration.h"
#include "cli/exit_code.h"
#include "collector/collection.h"
#include "collector/source/find_crashes.h"
#include "collector/upload/channel.h"
#include "collector/upload/grpc_ingest_client.h"
#include "collector/verbs.h"

namespace corefleet {
namespace {

const std::vector<Option>& Options() {
  static const auto* const options = new std::vector<Option>{
      {"ingest", 0, "HOST:PORT", "the server's devices' port (COREFLEET_INGEST; default 127.0.0.1:7443)"},
      {"device", 'd', "NAME", "whose crashes these are (default: this host's name)"},
      {"note", 0, "TEXT", "kept with every crash"},
      {"once", 0, "", "send what is there, and end (default)"},
      {"watch", 0, "", "stay, and send what comes"},
      {"settle", 0, "SPAN", "with --watch: a set is quiet when nothing changed for so long (default 5s)"},
      {"patience", 0, "SPAN",
       "with --watch: an incomplete set is sent after so long without a change (default 60s)"},
      {"kinfo", 0, "FILE", "a Debug Kinfo area to send with every region folder and Raw_Dmp! container"},
      {"release", 0, "",
       "once the server has a crash, free what holds it in the device: pstore records, devcoredumps"},
      {"state_dir", 0, "FOLDER", "remember here what was sent, so that a restart need not ask"},
      {"help", 'h', "", "this"}};
  return *options;
}

constexpr char kHelp[] = R"(corefleet-collector: brings what crashed kernels left to a corefleet server.

usage: corefleet-collector [OPTIONS] PATH...
       corefleet-collector agent --config FILE [--dry-run]      the service on a device: finds, spools, sends
       corefleet-collector status --config FILE [--json]        what waits, what was lost, what it waits for
       corefleet-collector export --config FILE --to FOLDER [--remove]
       corefleet-collector import --config FILE FILE...         for devices without a network
       corefleet-collector check-config FILE                    what is wrong with it, or all it says
A PATH that is called like a verb is written ./status.

PATH is what a crash left, or a folder of such things; each is told by its content and is one crash:
  a folder of region files (md_KELF1.BIN, md_Kprb22.BIN, ... as edl or qdl leaves them)
  a partition or image with a Raw_Dmp! container (/dev/block/by-name/rawdump), a QAIC blob
  /sys/fs/pstore or systemd-pstore's archive, an image of a ramoops area
  a vmcore, or a folder of them (/var/crash); /sys/class/devcoredump; a kernel log as text
  any other file, if it is named itself: it is kept as it is
Nothing is changed or deleted, but for what --release frees. A device or pstore without a crash is no error.

)";

constexpr char kExamples[] = R"(
  corefleet-collector --ingest lab.example:7443 ./memory
  corefleet-collector --watch --state_dir /var/lib/corefleet-collector /srv/downloads
  corefleet-collector --release /sys/fs/pstore /dev/block/by-name/rawdump

Logs key=value lines to the standard error. Exit codes: 0 done, 1 some crash was refused or unreadable, 2 usage,
3 server unreachable. Interrupt it at any time: what the server acknowledged never travels again.
)";

struct Settings {
  std::string ingest;
  Uploader::Options upload;
  WatchedFolders::Options watch;
  bool stay = false;
  std::string state_dir;
  std::vector<std::string> paths;
};

std::string HostName() {
  char name[256] = {};
  if (gethostname(name, sizeof(name) - 1) != 0 || name[0] == '\0') return "unnamed";
  return name;
}

std::string DefaultIngest() {
  const char* value = std::getenv("COREFLEET_INGEST");
  return value != nullptr && *value != '\0' ? value : "127.0.0.1:7443";
}

absl::StatusOr<Settings> SettingsFrom(const Arguments& arguments) {
  if (arguments.operands().empty()) return absl::InvalidArgumentError("name at least one path");
  if (arguments.Has("once") && arguments.Has("watch")) {
    return absl::InvalidArgumentError("--once and --watch exclude each other");
  }
  Settings settings{.ingest = arguments.Get("ingest", DefaultIngest())};
  ASSIGN_OR_RETURN(settings.upload.device, ParseDeviceId(arguments.Get("device", HostName())));
  settings.upload.note = arguments.Get("note");
  settings.stay = arguments.Has("watch");
  settings.upload.retry = settings.stay ? RetryPolicy::Endless() : RetryPolicy::Interactive();
  ASSIGN_OR_RETURN(settings.watch.settle, ParseDuration(arguments.Get("settle", "5s")));
  ASSIGN_OR_RETURN(settings.watch.patience, ParseDuration(arguments.Get("patience", "60s")));
  settings.watch.source.kinfo = arguments.Get("kinfo");
  settings.watch.source.release = arguments.Has("release");
  settings.state_dir = arguments.Get("state_dir");
  settings.paths = arguments.operands();
  return settings;
}

int SendOnce(const Settings& settings, grpc::Channel* channel, UploadSink* sink) {
  if (!IsReachable(channel, Clock::Real(), absl::Seconds(4))) {
    Log(LogLevel::kError, "nobody answers",
        {{"ingest", settings.ingest}, {"hint", "--ingest or COREFLEET_INGEST"}});
    return kUnreachable;
  }
  SourceOptions options = settings.watch.source;
  options.on_nothing = [](const std::string& path) {
    Log(LogLevel::kInfo, "no crash waits", {{"path", path}});
  };
  const absl::Status status = NamedPaths(settings.paths, options).Drain(*sink);
  if (!status.ok())
    Log(LogLevel::kError, "not everything was sent", {{"reason", std::string(status.message())}});
  if (sink->unreachable()) return kUnreachable;
  return status.ok() && sink->refused() == 0 ? kDone : kNotFoundOrRefused;
}

int Run(const Settings& settings) {
  absl::StatusOr<SentCrashes> sent =
      SentCrashes::Open(settings.state_dir, {.ingest = settings.ingest, .device = settings.upload.device});
  if (!sent.ok()) {
    Log(LogLevel::kError, "cannot use the state folder", {{"reason", std::string(sent.status().message())}});
    return kUsage;
  }
  const std::shared_ptr<grpc::Channel> channel = MakeChannel(settings.ingest);
  GrpcIngestClient client(channel, {.new_channel = [&settings] { return MakeChannel(settings.ingest); }},
                          Clock::Real());
  UploadSink sink(settings.upload, &client, Clock::Real(), &*sent);
  if (!settings.stay) return SendOnce(settings, channel.get(), &sink);
  Log(LogLevel::kInfo, "watching", {{"ingest", settings.ingest}, {"device", settings.upload.device.value()}});
  WatchedFolders folders(settings.paths, settings.watch, Clock::Real());
  WatchForEver(&folders, &sink, Clock::Real());
}

}  // namespace

int RunSend(const std::vector<std::string>& words) {
  const absl::StatusOr<Arguments> arguments = ParseArguments(words, Options());
  if (arguments.ok() && arguments->Has("help")) {
    std::cout << kHelp << DescribeOptions(Options()) << kExamples;
    return kDone;
  }
  const absl::StatusOr<Settings> settings = arguments.ok() ? SettingsFrom(*arguments) : arguments.status();
  if (!settings.ok()) {
    std::cerr << "corefleet-collector: " << settings.status().message()
              << "\n'corefleet-collector --help' says how.\n";
    return kUsage;
  }
  AllowManyOpenFiles();
  return Run(*settings);
}

}  // namespace corefleet

#include "collector/agent.h"

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <initializer_list>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/notification.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "collector/agent_ledger.h"
#include "collector/agent_report.h"
#include "collector/metrics/prometheus_text.h"
#include "collector/source/change_notice.h"
#include "collector/source/kernel_events.h"
#include "collector/source/source_schedule.h"
#include "collector/source/wake_sources.h"
#include "collector/source/watched_folders.h"
#include "collector/spool/boot_record.h"
#include "collector/spool/clue_reader.h"
#include "collector/spool_sink.h"
#include "collector/upload_round.h"

namespace corefleet {
namespace {

// Where the kernel tells of changes, looking is only a safety net; where it does not, it is all there is.
constexpr absl::Duration kSlowLook = absl::Minutes(30);
constexpr absl::Duration kBlindLook = absl::Minutes(2);
// While the spool cannot take what was found.
constexpr absl::Duration kRetryLook = absl::Minutes(1);
// What a call under way has, once the agent is asked to stop.
constexpr absl::Duration kLastWords = absl::Seconds(1);

std::string FolderOf(const std::string& path) { return path.substr(0, std::max<size_t>(path.rfind('/'), 1)); }

class Agent {
 public:
  Agent(const CollectorConfig& config, const ServiceNotice& notice)
      : config_(config),
        notice_(notice),
        time_(ThisDevicesTime()),
        clock_(Clock::Real(), &stop_),
        schedule_(nullptr, nullptr),
        changes_note_(&changes_),
        kernel_note_(&kernel_) {}

  absl::Status Open() {
    mkdir(config_.state_dir.c_str(), 0700);
    ledger_ = std::make_unique<AgentLedger>(AgentPagePath(config_), config_, time_, SystemRandom());
    // A crash that one of our servers has, all of them have.
    ASSIGN_OR_RETURN(SentCrashes sent, SentCrashes::Open(absl::StrCat(config_.state_dir, "/sent"),
                                                         {.ingest = absl::StrJoin(config_.servers, ","),
                                                          .device = config_.device}));
    sent_ = std::make_unique<SentMemory>(std::move(sent));
    ASSIGN_OR_RETURN(std::unique_ptr<SpoolFolder> folder, SpoolFolder::Open(SpoolPath(config_)));
    absl::Status remembered;
    boots_ = std::make_unique<BootRecord>(
        BootRecord::Open(folder.get(), ThisBoot(InstalledOsVersion()), &remembered));
    if (!remembered.ok()) {
      Log(LogLevel::kWarning, "cannot remember this boot", {{"reason", remembered.ToString()}});
    }
    ASSIGN_OR_RETURN(spool_, Spool::Open(std::move(folder), config_.spool,
                                         {.boot_id = time_.boot_id,
                                          .known = [this](const CrashUid& uid) { return sent_->Has(uid); }}));
    sink_ = std::make_unique<SpoolSink>(spool_.get(), ledger_.get(), time_, config_.device, config_.note);
    for (const SourceSettings& source : config_.sources) {
      folders_.emplace_back(
          std::vector<std::string>{source.path},
          WatchedFolders::Options{.settle = source.settle,
                                  .patience = source.patience,
                                  .source = {.kinfo = source.kinfo, .release = source.release},
                                  .boot_clock = time_.boot},
          Clock::Real());
    }
    rounds_ = std::make_unique<UploadRounds>(UploadRounds::Dependencies{
        .config = &config_,
        .spool = spool_.get(),
        .sent = sent_.get(),
        .ledger = ledger_.get(),
        .clock = &clock_,
        .stop = &stop_,
        .random = SystemRandom(),
        .connect = [this](const std::string& address) { return ConnectTo(address, config_); },
        .standing = [this] { return StandingOf(config_); },
        .read_clues = [this](const SpoolEntry& entry) { ReadCluesOf(entry); }});
    return absl::OkStatus();
  }

  AgentEnd Run() {
    for (WakeSource* source :
         std::initializer_list<WakeSource*>{&signals_, &bell_, &changes_note_, &kernel_note_}) {
      schedule_.Listen(source);
    }
    notice_.Ready();
    Log(LogLevel::kInfo, "agent started",
        {{"device", config_.device.value()}, {"spooled", absl::StrCat(spool_->Stats().entries)}});
    PutDown();
    Look();
    while (!signals_.stop() && !signals_.reload()) Step(schedule_.Next());
    Stop();
    return signals_.stop() ? AgentEnd::kStopped : AgentEnd::kReload;
  }

 private:
  void Step(const Wakeup& wakeup) {
    const auto due = [&](const char* name) {
      return std::find(wakeup.timers.begin(), wakeup.timers.end(), name) != wakeup.timers.end();
    };
    const bool changed = changes_note_.TakeNote();
    const bool kernel = kernel_note_.TakeNote();
    if (changed || kernel || due("look")) Look();
    if (uploading_ && round_over_.load()) JoinRound();
    if (due("upload")) upload_wait_ = absl::ZeroDuration();
    ConsiderUpload();
    PutDown();
  }

  // Spools what the sources have.
  void Look() {
    std::vector<std::string> watch;
    absl::Duration next = kSlowLook;
    absl::Status status;
    const Standing standing = StandingOf(config_);
    const bool may = !standing.consent_needed || standing.consent_given;
    // Watches first, looks after: what comes in between wakes us up.
    for (const WatchedFolders& folders : folders_) {
      for (std::string& folder : folders.FoldersToWatch()) watch.push_back(std::move(folder));
    }
    for (const std::string& file : {config_.consent_file, config_.metered_file}) {
      if (!file.empty()) watch.push_back(FolderOf(file));
    }
    if (!changes_.Watch(watch)) next = kBlindLook;
    for (WatchedFolders& folders : folders_) {
      if (!may) break;
      status.Update(folders.Drain(*sink_));
      next = std::min(next, folders.UntilDue());
    }
    if (!status.ok() && status != last_look_) {
      Log(LogLevel::kWarning, "cannot take everything", {{"reason", status.ToString()}});
    }
    last_look_ = status;
    if (!status.ok() && !absl::IsNotFound(status)) next = std::min(next, kRetryLook);
    // What is nearly due may ride along; what waits for a file to be quiet is late by little.
    schedule_.Set("look", next, next / 2);
    spool_->Tidy();
    ConsiderUpload();
  }

  // In the uploader's thread. Which kernel died, and what it said, in a process of its own; which system that
  // was, by the boots that this device remembers.
  void ReadCluesOf(const SpoolEntry& entry) {
    const absl::StatusOr<std::unique_ptr<SpoolBytes>> bytes = spool_->EntryBytes(entry.id);
    if (!bytes.ok()) return;
    const absl::StatusOr<CrashClues> found = ReadClues(**bytes);
    if (absl::IsUnavailable(found.status())) return;
    CrashClues clues = entry.tags.clues;
    if (found.ok()) {
      clues.build_id = found->build_id;
      clues.kernel_release = found->kernel_release;
      clues.panic = found->panic;
    }
    const bool ours = entry.tags.device == config_.device;
    const Boot* const blamed =
        ours ? boots_->Blamed(clues.source, clues.kernel_release, entry.tags.boot_id) : nullptr;
    if (blamed != nullptr && clues.os_version.empty()) clues.os_version = blamed->os_version;
    spool_->SetClues(entry.id, clues).IgnoreError();
  }

  // Starts a round when something waits and may leave, or sets the time for it.
  void ConsiderUpload() {
    if (uploading_) return;
    const std::vector<SpoolEntry> entries = spool_->List();
    absl::Duration wait = absl::InfiniteDuration();
    for (const SpoolEntry& entry : entries) wait = std::min(wait, entry.wait);
    if (entries.empty()) {
      ledger_->Say("waiting_for", "");
      schedule_.Set("upload", absl::InfiniteDuration(), absl::ZeroDuration());
      return;
    }
    wait = std::max({wait, ledger_->UntilDue(), upload_wait_});
    const Permission permission = PermissionFor(StandingOf(config_));
    // Who takes the consent back does not wait for the next round.
    if (permission == Permission::kNoConsent) wait = absl::ZeroDuration();
    if (wait <= absl::ZeroDuration()) {
      StartRound();
    } else {
      schedule_.Set("upload", wait, wait / 20);
    }
  }

  void StartRound() {
    schedule_.Set("upload", absl::InfiniteDuration(), absl::ZeroDuration());
    uploading_ = true;
    round_over_ = false;
    ledger_->Say("waiting_for", "");
    uploader_ = std::thread([this] {
      upload_wait_ = rounds_->Run();
      round_over_ = true;
      bell_.Tell();
    });
  }

  void JoinRound() {
    uploader_.join();
    uploading_ = false;
    // A round that ended because nothing is left has no opinion about what comes next.
    if (upload_wait_ == absl::InfiniteDuration()) upload_wait_ = absl::ZeroDuration();
    schedule_.Set("upload", upload_wait_, upload_wait_ / 20);
  }

  // Writes state and metrics, and tells systemd that we are alive.
  void PutDown() {
    const absl::Status saved = ledger_->Save(/*sync=*/false);
    if (!saved.ok() && saved != last_saved_) {
      Log(LogLevel::kWarning, "cannot write the state", {{"reason", saved.ToString()}});
    }
    last_saved_ = saved;
    if (!config_.metrics_file.empty()) {
      ReplaceFile(config_.metrics_file,
                  MetricsText(spool_->Stats(), spool_->Losses(), ledger_->page(), schedule_.wakeups()))
          .IgnoreError();
    }
    notice_.Status(absl::StrCat(spool_->Stats().entries, " crashes wait"));
    notice_.Alive();
    if (notice_.watchdog_interval() < absl::InfiniteDuration()) {
      schedule_.Set("alive", notice_.watchdog_interval() / 2, notice_.watchdog_interval() / 4);
    }
  }

  void Stop() {
    notice_.Stopping();
    stop_.Notify();
    if (uploading_) {
      // The round ends at its next message; a server that does not answer is not waited for.
      const absl::Duration end = time_.boot->SinceBoot() + kLastWords;
      while (!round_over_.load() && time_.boot->SinceBoot() < end)
        Clock::Real()->Sleep(absl::Milliseconds(20));
      if (!round_over_.load()) rounds_->Cancel();
      uploader_.join();
    }
    const absl::Status saved = ledger_->Save(/*sync=*/true);
    Log(LogLevel::kInfo, "agent stopped", {{"state", saved.ToString()}});
  }

  const CollectorConfig config_;
  const ServiceNotice& notice_;
  DeviceTime time_;
  absl::Notification stop_;
  StoppableClock clock_;
  std::unique_ptr<AgentLedger> ledger_;
  std::unique_ptr<SentMemory> sent_;
  std::unique_ptr<BootRecord> boots_;
  std::unique_ptr<Spool> spool_;
  std::unique_ptr<SpoolSink> sink_;
  std::vector<WatchedFolders> folders_;
  std::unique_ptr<UploadRounds> rounds_;

  SourceSchedule schedule_;
  StopSignals signals_;
  Bell bell_;
  ChangeNotice changes_;
  KernelEvents kernel_;
  NotedSource changes_note_, kernel_note_;

  std::thread uploader_;
  bool uploading_ = false;
  std::atomic<bool> round_over_ = false;
  absl::Duration upload_wait_ = absl::ZeroDuration();  // the uploader's while it runs
  absl::Status last_look_, last_saved_;
};

}  // namespace

void HoldSignals() { StopSignals::Hold(); }

absl::StatusOr<AgentEnd> RunAgent(const CollectorConfig& config, const ServiceNotice& notice) {
  Agent agent(config, notice);
  RETURN_IF_ERROR(agent.Open());
  return agent.Run();
}

}  // namespace corefleet

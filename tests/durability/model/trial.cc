#include "tests/durability/model/trial.h"

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "core/simulate/random.h"
#include "server/reconcile/pack_check.h"
#include "storage/memory/memory_crash_index.h"
#include "storage/segment/faulty_file_system.h"
#include "tests/durability/model/faulty_index.h"
#include "tests/durability/model/model_device.h"
#include "tests/durability/model/model_server.h"

namespace corefleet {
namespace {

constexpr uint64_t kRoom = uint64_t{1} << 30;
constexpr size_t kMostDevices = 16;
constexpr int kStepsToEnd = 5000;
constexpr absl::Duration kLongerThanGrace = absl::Hours(25);

class Trial {
 public:
  Trial(uint64_t seed, Mutation mutation)
      : random_(seed, "trial"),
        index_(&database_, [this] { return disk_.dead(); }),
        reconcilers_index_(&index_, [] { return false; }),
        files_(Mutate(mutation, &disk_)),
        seed_(seed),
        segment_bytes_(random_.Pick(std::vector<uint64_t>{1, 100'000, 300'000})) {
    reconcilers_index_.SetBlind(mutation == Mutation::kBlindReconciler);
    disk_.SetNow(clock_.Now());
    disk_.SetFreeBytes(kRoom);
    const uint64_t devices = random_.Between(2, 5);
    for (uint64_t i = 0; i <= devices; ++i) AddDevice();
  }

  TrialReport Run() {
    Start();
    for (uint64_t left = random_.Between(150, 300); left > 0 && !failed(); --left) Advance();
    if (!failed()) BringToAnEnd();
    if (!failed()) CheckTheEnd();
    Count();
    return std::move(report_);
  }

 private:
  enum class Stop { kPowerCut, kKill };

  void AddDevice() {
    const size_t number = devices_.size();
    // The first one is honest, so that there is always a crash.
    const Character character =
        number == 0 ? Character::kHonest
                    : random_.Pick(std::vector<Character>{Character::kHonest, Character::kHonest,
                                                          Character::kFickle, Character::kLiar});
    devices_.push_back(std::make_unique<ModelDevice>(static_cast<int>(number), character,
                                                     Random(seed_, absl::StrCat("device ", number)),
                                                     [this](const std::string& what) { Complain(what); }));
  }

  void Complain(const std::string& what) { report_.violations.push_back(what); }
  bool failed() const { return !report_.violations.empty(); }

  // One thing happens: a fault is armed, somebody works, time passes.
  void Advance() {
    if (random_.Below(6) == 0) ArmFault();
    if (outage_ > 0 && --outage_ == 0) index_.SetOutage(false);
    if (full_ > 0 && --full_ == 0) disk_.SetFreeBytes(kRoom);
    const uint64_t what = random_.Below(40);
    if (what < 30) {
      ModelDevice& device = *devices_[random_.Below(devices_.size())];
      device.Step(server_->ingestor());
      if (device.done() && devices_.size() < kMostDevices) AddDevice();
    } else if (what < 36) {
      server_->reconciler()->Step().IgnoreError();
    } else if (what < 37) {
      index_.LandLateCommits();
    } else if (what < 38) {
      (void)index_.ExpireSessions(clock_.Now(), 10, "never_sent");
    } else if (what < 39) {
      LetTimePass();
    } else {
      for (int i = 0; i < 50 && !disk_.dead(); ++i) server_->reconciler()->Step().IgnoreError();
    }
    if (disk_.dead()) Restart(stop_);
  }

  void ArmFault() {
    switch (random_.Below(10)) {
      case 0:
      case 1:
        return StopSoon(Stop::kPowerCut);
      case 2:
      case 3:
        return StopSoon(Stop::kKill);
      case 4:
        return disk_.FailNextSync();
      case 5:
        return disk_.FailNextDirectorySync();
      case 6:
        full_ = 1 + static_cast<int>(random_.Below(8));
        return disk_.SetFreeBytes(random_.Below(120'000));
      case 7:
        outage_ = 1 + static_cast<int>(random_.Below(10));
        return index_.SetOutage(true);
      case 8:
        return index_.Arm(IndexFault::kUnknown);
      default:
        return index_.Arm(random_.Below(2) == 0 ? IndexFault::kUnavailable : IndexFault::kLate);
    }
  }

  void StopSoon(Stop stop) {
    stop_ = stop;
    disk_.LosePowerAfter(1 + static_cast<int>(random_.Below(8)));
    disk_.SetPunching(random_.Below(4) != 0);
  }

  // No commit is under way for as long as the grace: the database gives up long before.
  void LetTimePass() {
    index_.LandLateCommits();
    clock_.Advance(kLongerThanGrace);
    disk_.SetNow(clock_.Now());
    ++report_.events["days passed"];
  }

  void Restart(Stop stop) {
    for (const auto& device : devices_) device->Disconnect();
    server_ = nullptr;
    if (stop == Stop::kPowerCut) {
      disk_.CutPowerAtRandom(random_.Next());
    } else {
      disk_.Resume();
      ++report_.faults["process killed"];
    }
    Start();
    if (random_.Below(3) == 0) CheckRows();
    if (random_.Below(4) != 0) {
      server_->reconciler()->Recover().IgnoreError();
    }
  }

  void Start() {
    auto server = ModelServer::Start({.files = files_.get(),
                                      .segment_bytes = segment_bytes_,
                                      .index = &index_,
                                      .reconcilers_index = &reconcilers_index_,
                                      .clock = &clock_,
                                      .log = &log_});
    // Opening changes nothing, so nothing armed can hit it.
    server_ = *std::move(server);
    ++report_.events["servers started"];
  }

  // Every row of the database names a pack that is there, with every chunk.
  void CheckRows() {
    const auto keys = database_.PackKeys();
    for (const std::string& key : *keys) {
      const auto rows = database_.PacksUnder(key);
      for (const IndexedPack& row : *rows) {
        const auto pack = ReadCheckedPack(row.ref, server_->store());
        if (!pack.ok()) {
          Complain(absl::StrCat("a row names ", row.ref.key, " at ", row.ref.offset, ": ",
                                pack.status().ToString()));
        } else if (pack->index.session != row.session.value()) {
          Complain(absl::StrCat("a row names another session's pack at ", row.ref.key));
        }
      }
    }
  }

  void BringToAnEnd() {
    index_.SetOutage(false);
    index_.Arm(IndexFault::kNone);
    index_.LandLateCommits();
    disk_.SetFreeBytes(kRoom);
    Restart(Stop::kPowerCut);
    for (int i = 0; i < kStepsToEnd; ++i) {
      const bool all =
          std::all_of(devices_.begin(), devices_.end(), [](const auto& one) { return one->done(); });
      if (all) return;
      devices_[random_.Below(devices_.size())]->Step(server_->ingestor());
    }
    Complain("an upload does not come to its end although everything works");
  }

  void CheckTheEnd() {
    Restart(Stop::kKill);
    // Two passes to give room back, and one to see that nothing is left.
    for (int i = 0; i < 3; ++i) {
      RunPass();
      LetTimePass();
    }
    if (!(log_.last == Differences())) {
      Complain(absl::StrCat("reconciliation leaves ", log_.last.missing_packs, " missing, ",
                            log_.last.damaged_packs, " damaged, ", log_.last.unreadable_segments,
                            " unreadable, ", log_.last.orphan_packs, " orphans, ", log_.last.lost_analyses,
                            " analyses"));
    }
    Restart(Stop::kPowerCut);
    CheckRows();
    CheckCrashes();
    const auto account = database_.Account();
    if (account->Difference() != 0 || log_.unbalanced > 0) Complain("the account does not balance");
  }

  void RunPass() {
    const int before = log_.passes;
    for (int i = 0; i < kStepsToEnd && log_.passes == before; ++i) {
      const auto step = server_->reconciler()->Step();
      if (!step.ok()) return Complain(absl::StrCat("a pass fails: ", step.status().ToString()));
    }
    if (log_.passes == before) Complain("a pass does not end");
  }

  void CheckCrashes() {
    uint64_t expected = 0;
    for (const auto& device : devices_) {
      if (!device->has_crash()) continue;
      ++expected;
      device->Check(&database_, server_->store());
    }
    const auto stats = database_.Stats(0);
    if (stats->crashes != expected) {
      Complain(absl::StrCat(stats->crashes, " crashes are stored and ", expected, " were sent"));
    }
  }

  void Count() {
    const FaultyFileSystem::Faults disk = disk_.faults();
    report_.faults["power cut"] = disk.power_cuts;
    report_.faults["sync failed"] = disk.failed_syncs;
    report_.faults["directory sync failed"] = disk.failed_directory_syncs;
    report_.faults["disk full"] = disk.full;
    report_.faults["database away"] = index_.faults().unavailable;
    report_.faults["commit unknown"] = index_.faults().unknown;
    report_.faults["commit late"] = index_.faults().late;
    report_.events["changes torn by power cuts"] = disk.torn_changes;
    report_.events["changes forgotten by power cuts"] = disk.forgotten_changes;
    report_.events["packs adopted"] = log_.adopted;
    report_.events["packs released"] = log_.released;
    report_.events["segments removed"] = log_.removed;
    report_.events["passes"] = log_.passes;
    for (const auto& device : devices_) {
      report_.events["chunks acknowledged"] += device->acknowledged();
      report_.events["crashes finished with their last pack"] += device->finished_with_last();
      report_.events["crashes acknowledged"] += device->has_crash() && device->done();
    }
  }

  Random random_;
  FakeClock clock_{absl::FromUnixSeconds(1'800'000'000)};
  FaultyFileSystem disk_;
  MemoryCrashIndex database_;  // its commits survive everything: it is another machine
  FaultyIndex index_;
  FaultyIndex reconcilers_index_;
  const std::unique_ptr<FileSystem> files_;
  const uint64_t seed_;
  const uint64_t segment_bytes_;
  ReconcileLog log_;
  TrialReport report_;
  std::unique_ptr<ModelServer> server_;
  std::vector<std::unique_ptr<ModelDevice>> devices_;  // their writers end before the server
  Stop stop_ = Stop::kKill;
  int outage_ = 0;
  int full_ = 0;
};

}  // namespace

int TrialReport::fault_count() const {
  int count = 0;
  for (const auto& [kind, times] : faults) count += times;
  return count;
}

void TrialReport::Add(const TrialReport& other) {
  for (const auto& [kind, times] : other.faults) faults[kind] += times;
  for (const auto& [kind, times] : other.events) events[kind] += times;
  violations.insert(violations.end(), other.violations.begin(), other.violations.end());
}

TrialReport RunTrial(uint64_t seed, Mutation mutation) { return Trial(seed, mutation).Run(); }

}  // namespace corefleet

// Kills the spool, cuts its power and fails its disk at every change that it makes, and holds it to its
// promise: what it said was safe is there, byte for byte, or is counted as lost, once.
#include <map>
#include <random>
#include <set>

#include "collector/spool/spool_fixture.h"
#include "core/manifest/manifest.h"

namespace corefleet {
namespace {

using Random = std::mt19937_64;

enum class Fault { kKill, kPowerCut, kError };

// A device with its spool, and what it was told.
class Device {
 public:
  explicit Device(uint64_t seed) : random_(seed) {
    limits_.max_bytes = 200000;
    limits_.min_free_bytes = 0;
    limits_.max_entries = 6;
    limits_.max_age = absl::Hours(40);
  }

  FaultyDisk& disk() { return disk_; }
  Spool& spool() { return *spool_; }
  // How much has been reported as lost: over a restart it may not go back.
  void Start() {
    spool_.reset();
    disk_.Restart();
    auto spool = Spool::Open(disk_.Open(), limits_, {.clock = &clock_, .boot_id = "boot"});
    ASSERT_TRUE(spool.ok()) << spool.status();
    spool_ = *std::move(spool);
  }
  void CutPower() {
    disk_.CutPower([this](uint64_t below) { return random_() % below; });
  }

  // One thing that an agent does. Ends early when the disk dies.
  void Step() {
    clock_.Advance(absl::Minutes(static_cast<int64_t>(random_() % 240)));
    switch (random_() % 10) {
      case 0:
        return Send();
      case 1:
        return KeepRest();
      case 2:
        if (const SpoolId id = Any()) spool_->SetClues(id, {.build_id = "beef"}).IgnoreError();
        return;
      case 3:
        return CountOutside();
      case 4:
        if (const SpoolId id = Any()) spool_->Drop(id, LossReason::kConsent).IgnoreError();
        return;
      case 5:
        spool_->Tidy();
        return;
      case 6:
        if (const SpoolId id = Any()) spool_->Quarantine(id).IgnoreError();
        return;
      default:
        return Put();
    }
  }

  // Everything that was promised holds.
  void Check(const std::string& when) {
    std::set<std::string> listed;
    for (const SpoolEntry& entry : spool_->List()) {
      ASSERT_TRUE(contents_.count(entry.uid.value()) != 0) << when << ": a crash that nobody put";
      EXPECT_TRUE(listed.insert(entry.uid.value()).second) << when << ": twice";
      EXPECT_EQ(ContentOf(spool_.get(), entry.id), contents_[entry.uid.value()]) << when;
    }
    uint64_t missing = 0, perhaps = 0;
    for (const std::string& uid : safe_) {
      if (listed.count(uid) != 0) continue;
      ++(doubtful_.count(uid) != 0 ? perhaps : missing);
    }
    const SpoolStats stats = spool_->Stats();
    uint64_t lost = 0;
    for (const uint64_t count : stats.lost) lost += count;
    const uint64_t outside = stats.lost[static_cast<size_t>(LossReason::kUnreadable)];
    EXPECT_GE(outside, counted_outside_) << when;
    EXPECT_LE(outside, counted_outside_ + doubtful_outside_) << when;
    EXPECT_GE(lost - outside, missing) << when << ": a crash is gone, and was not counted";
    EXPECT_LE(lost - outside, missing + perhaps) << when << ": counted twice";
  }

 private:
  SpoolId Any() {
    const std::vector<SpoolEntry> entries = spool_->List();
    return entries.empty() ? 0 : entries[random_() % entries.size()].id;
  }

  void Put() {
    const uint64_t number = ++puts_;
    const size_t size = random_() % 6 == 0 ? 66000 + random_() % 40000 : 50 + random_() % 1000;
    const RegionSet set = CrashOf(Noise(size, number + 1000 * random_()));
    const std::string uid = UidOf(*MakeManifest(set)).value();
    const auto bytes = ReadBytes(*set.regions[0].bytes, 0, size);
    contents_[uid] = std::string(bytes->begin(), bytes->end());
    const auto put = spool_->Put(set, TagsOf(random_() % 3 == 0 ? absl::StrCat("rare", number) : "loop"));
    if (put.ok()) {
      EXPECT_EQ(put->uid.value(), uid);
      safe_.insert(uid);
    }
    // One that was not promised may be there all the same, and is then lost like any other.
    if (!put.ok()) safe_.insert(uid), doubtful_.insert(uid);
  }

  void Send() {
    const std::vector<SpoolEntry> entries = spool_->List();
    if (entries.empty()) return;
    const std::string uid = entries[0].uid.value();
    if (spool_->Sent(entries[0].id).ok()) {
      if (doubtful_.count(uid) == 0) safe_.erase(uid);
    } else {
      doubtful_.insert(uid);
    }
  }

  void KeepRest() {
    const SpoolId id = Any();
    if (id == 0) return;
    doubtful_.insert(spool_->Find(id)->uid.value());
    spool_->KeepRest(id, absl::Hours(1)).IgnoreError();
  }

  void CountOutside() {
    const int changes = disk_.changes();
    spool_->CountLoss(LossReason::kUnreadable, absl::StrCat("file ", ++outside_));
    const bool certain = !disk_.dead() && disk_.changes() > changes && !spool_->Stats().losses_unsaved;
    ++(certain ? counted_outside_ : doubtful_outside_);
  }

  FaultyDisk disk_;
  FakeBootClock clock_;
  SpoolLimits limits_;
  Random random_;
  std::unique_ptr<Spool> spool_;
  std::map<std::string, std::string> contents_;  // by uid: of everything that was ever offered
  std::set<std::string> safe_;                   // what must be there or counted
  std::set<std::string> doubtful_;               // of these, what may be gone and not counted
  uint64_t puts_ = 0, outside_ = 0, counted_outside_ = 0, doubtful_outside_ = 0;
};

constexpr int kSteps = 30;

// Runs some steps, with a fault at the `change`-th change; then recovers, goes on, and checks. False when the
// steps made fewer changes.
bool Survives(uint64_t seed, Fault fault, int change) {
  Device device(seed);
  device.Start();
  const int before = device.disk().changes();
  if (fault == Fault::kError) {
    device.disk().FailAt(change, change % 2 == 0 ? absl::UnavailableError("input/output error")
                                                 : absl::ResourceExhaustedError("no space left"));
  } else {
    device.disk().DieAt(change);
  }
  for (int i = 0; i < kSteps && !device.disk().dead(); ++i) device.Step();
  const bool hit = device.disk().changes() - before >= change;
  const std::string when = absl::StrCat("seed ", seed, ", change ", change);
  if (fault == Fault::kPowerCut) device.CutPower();
  if (fault == Fault::kError) {
    device.spool().Tidy();
    device.Check(when + ", going on");
  }
  device.Start();
  device.Check(when + ", restarted");
  for (int i = 0; i < 10; ++i) device.Step();
  device.Check(when + ", later");
  device.Start();
  device.Check(when + ", at last");
  return hit;
}

void SurvivesEverywhere(uint64_t seed, Fault fault) {
  int change = 1;
  while (Survives(seed, fault, change) && !testing::Test::HasFailure()) ++change;
  EXPECT_GT(change, 50) << "too little was done to say anything";
}

TEST(SpoolFaultsTest, AKillAtAnyChange) {
  for (uint64_t seed = 1; seed <= 2; ++seed) SurvivesEverywhere(seed, Fault::kKill);
}

TEST(SpoolFaultsTest, APowerCutAtAnyChange) {
  for (uint64_t seed = 11; seed <= 13; ++seed) SurvivesEverywhere(seed, Fault::kPowerCut);
}

TEST(SpoolFaultsTest, AFailureAtAnyChange) {
  for (uint64_t seed = 21; seed <= 22; ++seed) SurvivesEverywhere(seed, Fault::kError);
}

TEST(SpoolFaultsTest, ManyPowerCutsInARow) {
  for (uint64_t seed = 100; seed < 120 && !testing::Test::HasFailure(); ++seed) {
    Random random(seed);
    Device device(seed);
    device.Start();
    for (int cut = 0; cut < 8; ++cut) {
      device.disk().DieAt(1 + static_cast<int>(random() % 60));
      for (int i = 0; i < kSteps && !device.disk().dead(); ++i) device.Step();
      if (random() % 3 != 0) device.CutPower();
      device.Start();
      device.Check(absl::StrCat("seed ", seed, ", cut ", cut));
    }
  }
}

TEST(SpoolFaultsTest, APowerCutWhileItRecovers) {
  for (uint64_t seed = 200; seed < 215 && !testing::Test::HasFailure(); ++seed) {
    Random random(seed);
    Device device(seed);
    device.Start();
    device.disk().DieAt(20 + static_cast<int>(random() % 60));
    for (int i = 0; i < kSteps && !device.disk().dead(); ++i) device.Step();
    device.CutPower();
    for (int change = 1; change < 12; ++change) {
      device.disk().DieAt(change);
      Spool::Open(device.disk().Open(), {}, {.boot_id = "boot"}).status().IgnoreError();
      device.CutPower();
    }
    device.Start();
    device.Check(absl::StrCat("seed ", seed));
  }
}

}  // namespace
}  // namespace corefleet

#include "server/reconcile/reconciler.h"

#include <gtest/gtest.h>

#include "absl/strings/str_format.h"
#include "server/reconcile/reconcile_schedule.h"
#include "storage/memory/memory_crash_index.h"
#include "storage/pack.h"
#include "storage/segment/faulty_file_system.h"
#include "storage/segment/segment_pack_store.h"

namespace corefleet {
namespace {

class RecordingMetrics final : public ReconcileMetrics {
 public:
  void PassEnded(const Differences& differences, bool holding, absl::Time at) override {
    absl::MutexLock lock(&mutex_);
    found = differences;
    holding_back = holding;
    ++passes;
  }
  void PackReleased(uint64_t bytes) override { ++released; }
  void SegmentRemoved() override { ++removed; }
  void PackAdopted() override { ++adopted; }
  void PackScrubbed(uint64_t bytes, bool damaged) override {
    scrubbed += bytes;
    scrub_damage += damaged;
  }
  void AccountDiffers(int64_t by) override { difference = by; }
  bool AwaitPass() {
    absl::MutexLock lock(&mutex_);
    const auto ended = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return passes > 0; };
    return mutex_.AwaitWithTimeout(absl::Condition(&ended), absl::Seconds(30));
  }

  Differences found;
  bool holding_back = false;
  int passes = 0;
  int released = 0;
  int removed = 0;
  int adopted = 0;
  uint64_t scrubbed = 0;
  int scrub_damage = 0;
  int64_t difference = 0;

 private:
  absl::Mutex mutex_;
};

// One region of eight chunks, of which a test puts some into packs.
class ReconcilerTest : public testing::Test {
 protected:
  static constexpr int kChunks = 8;

  ReconcilerTest() {
    disk_.SetNow(clock_.Now());
    Restart();
  }

  // A new process on the same disk and database. Every segment is closed by that.
  void Restart(const ReconcileOptions& options = {}) {
    store_ = *SegmentPackStore::Open("/d", {.segment_bytes = uint64_t{4} << 20, .file_system = &disk_});
    reconciler_.emplace(Reconciler::Dependencies{&index_, store_.get(), &clock_, &metrics_}, options);
  }

  static std::string Raw(int chunk) { return std::string(kChunkBytes, static_cast<char>('a' + chunk)); }

  SessionId Begin(int number) {
    Manifest manifest;
    manifest.regions.push_back({.file_name = absl::StrCat("r", number), .size = kChunks * kChunkBytes});
    const SessionId id(absl::StrFormat("%032x", number));
    EXPECT_TRUE(index_
                    .BeginSession(DeviceId("d"), manifest, "", SessionTerms(), id, clock_.Now(),
                                  clock_.Now() + absl::Hours(240))
                    .ok());
    return id;
  }

  // Chunks first..last of the session, durable and without a row.
  StoredPack Put(const SessionId& id, int first, int last) {
    PackBuilder builder;
    for (int i = first; i <= last; ++i) {
      const std::string raw = Raw(i);
      builder.Add(
          {.chunk = static_cast<uint64_t>(i), .raw_size = kChunkBytes, .digest = Sha256Of(BytesOf(raw))},
          BytesOf(raw));
    }
    const Pack pack = builder.Build(id.value());
    return {.ref = *store_->Put(BytesOf(pack.bytes)), .entries = pack.entries};
  }
  StoredPack PutWithRow(const SessionId& id, int first, int last) {
    StoredPack pack = Put(id, first, last);
    EXPECT_TRUE(index_.AddPack(id, pack).ok());
    return pack;
  }
  CrashId Finish(const SessionId& id) {
    const auto crash = index_.FinishSession(id, CrashId::Make(clock_.Now(), {1}), 1, 1);
    EXPECT_TRUE(crash.ok()) << crash.status();
    return *crash;
  }

  void RunPass() {
    const int before = metrics_.passes;
    for (int i = 0; i < 1000 && metrics_.passes == before; ++i) {
      const auto ended = reconciler_->Step();
      ASSERT_TRUE(ended.ok()) << ended.status();
    }
    ASSERT_EQ(metrics_.passes, before + 1);
  }
  void Wait(absl::Duration duration) {
    clock_.Advance(duration);
    disk_.SetNow(clock_.Now());
  }
  bool IsThere(const StoredPack& pack) {
    std::vector<uint8_t> bytes(pack.ref.size);
    return store_->Read(pack.ref, 0, absl::MakeSpan(bytes)).ok();
  }

  FakeClock clock_{absl::FromUnixSeconds(1'800'000'000)};
  FaultyFileSystem disk_;
  MemoryCrashIndex index_;
  RecordingMetrics metrics_;
  std::unique_ptr<SegmentPackStore> store_;
  std::optional<Reconciler> reconciler_;
};

TEST_F(ReconcilerTest, FindsNothingWhenAllIsWell) {
  const SessionId id = Begin(1);
  PutWithRow(id, 0, 3);
  PutWithRow(id, 4, 7);
  Finish(id);
  Restart();
  RunPass();
  Wait(absl::Hours(100));
  RunPass();
  EXPECT_EQ(metrics_.found, Differences());
  EXPECT_EQ(metrics_.released + metrics_.removed + metrics_.adopted, 0);
  EXPECT_EQ(metrics_.difference, 0);
}

TEST_F(ReconcilerTest, APackWhoseRowWasLostWithTheProcessGetsOne) {
  const SessionId id = Begin(1);
  PutWithRow(id, 0, 3);
  const StoredPack orphan = Put(id, 4, 7);
  Restart();
  ASSERT_TRUE(reconciler_->Recover().ok());
  EXPECT_EQ(metrics_.adopted, 1);
  const auto packs = *index_.SessionPacks(id);
  ASSERT_EQ(packs.size(), 2u);
  EXPECT_EQ(packs[1].entries, orphan.entries);
  EXPECT_TRUE(IsThere(packs[1]));
  EXPECT_FALSE(packs[1].ref == orphan.ref) << "it was put again: its bytes may have been in the cache alone";
  // The one that lies there still has no news for anybody.
  Restart();
  ASSERT_TRUE(reconciler_->Recover().ok());
  EXPECT_EQ(metrics_.adopted, 1);
}

TEST_F(ReconcilerTest, WhatIsAdoptedSurvivesAPowerCut) {
  const SessionId id = Begin(1);
  PutWithRow(id, 0, 3);
  // The process dies after the write and before the sync.
  disk_.LosePowerAfter(2);
  PackBuilder builder;
  const std::string raw = Raw(4);
  builder.Add({.chunk = 4, .raw_size = kChunkBytes, .digest = Sha256Of(BytesOf(raw))}, BytesOf(raw));
  EXPECT_FALSE(store_->Put(BytesOf(builder.Build(id.value()).bytes)).ok());
  disk_.CutPower(size_t{1} << 20);  // which leaves a pack that is damaged
  Restart();
  ASSERT_TRUE(reconciler_->Recover().ok());
  EXPECT_EQ(metrics_.adopted, 0);
  Put(id, 5, 5);
  Restart();
  ASSERT_TRUE(reconciler_->Recover().ok());
  EXPECT_EQ(metrics_.adopted, 1);
  disk_.CutPower();
  Restart();
  const auto packs = index_.SessionPacks(id);
  ASSERT_TRUE(packs.ok());
  for (const StoredPack& pack : *packs) EXPECT_TRUE(IsThere(pack));
}

TEST_F(ReconcilerTest, NothingThatDoesNotFitTheSessionIsAdopted) {
  const SessionId id = Begin(1);
  // Chunk 4 with other bytes than the session has by now, a chunk that the crash does not have, a wrong size.
  PutWithRow(id, 4, 4);
  const std::vector<std::pair<PackEntry, std::string>> wrong = {
      {{.chunk = 4, .raw_size = kChunkBytes}, std::string(kChunkBytes, 'z')},
      {{.chunk = kChunks, .raw_size = kChunkBytes}, std::string(kChunkBytes, 'z')},
      {{.region = 1, .raw_size = kChunkBytes}, std::string(kChunkBytes, 'z')},
      {{.chunk = 5, .raw_size = 10}, std::string(10, 'z')}};
  for (auto [entry, bytes] : wrong) {
    entry.digest = Sha256Of(BytesOf(bytes));
    PackBuilder builder;
    builder.Add(entry, BytesOf(bytes));
    ASSERT_TRUE(store_->Put(BytesOf(builder.Build(id.value()).bytes)).ok());
  }
  PackBuilder builder;
  builder.Add({.chunk = 6, .raw_size = kChunkBytes}, BytesOf(Raw(6)));  // and a wrong digest
  ASSERT_TRUE(store_->Put(BytesOf(builder.Build(id.value()).bytes)).ok());
  const SessionId gone("0000000000000000000000000000abcd");
  Put(gone, 0, 1);
  const SessionId complete = Begin(2);
  Finish(complete);
  Put(complete, 0, 1);
  Restart();
  ASSERT_TRUE(reconciler_->Recover().ok());
  EXPECT_EQ(metrics_.adopted, 0);
  EXPECT_EQ(index_.SessionPacks(id)->size(), 1u);
}

TEST_F(ReconcilerTest, RecoveryGoesOnAfterAnOutage) {
  const SessionId id = Begin(1);
  Put(id, 0, 3);
  Restart();
  index_.SetStatus(absl::UnavailableError("down"));
  EXPECT_FALSE(reconciler_->Recover().ok());
  index_.SetStatus(absl::OkStatus());
  EXPECT_TRUE(reconciler_->Recover().ok());
  EXPECT_EQ(metrics_.adopted, 1);
}

TEST_F(ReconcilerTest, AnOrphanGoesWhenItsSessionIsGoneAndTimeHasPassed) {
  const SessionId alive = Begin(1);
  const StoredPack kept = PutWithRow(alive, 0, 7);
  const SessionId gone = Begin(2);
  const StoredPack dead = PutWithRow(gone, 0, 3);
  Restart();
  ASSERT_TRUE(index_.AbandonSession(gone, "abandoned").ok());
  RunPass();
  EXPECT_EQ(metrics_.found.orphan_packs, 1u);
  EXPECT_EQ(metrics_.found.orphan_bytes, dead.ref.size);
  Wait(absl::Hours(23));
  RunPass();
  EXPECT_TRUE(IsThere(dead));
  Wait(absl::Hours(2));
  RunPass();
  EXPECT_FALSE(IsThere(dead));
  EXPECT_TRUE(IsThere(kept));
  EXPECT_EQ(metrics_.released, 1);
  EXPECT_EQ(metrics_.found, Differences());
}

TEST_F(ReconcilerTest, AClockThatJumpsReleasesNothingByItself) {
  PutWithRow(Begin(1), 0, 3);
  const SessionId gone("0000000000000000000000000000abcd");
  const StoredPack orphan = Put(gone, 0, 1);
  Restart();
  Wait(absl::Hours(24 * 365 * 50));
  RunPass();
  EXPECT_TRUE(IsThere(orphan)) << "the first pass that sees the key";
  EXPECT_EQ(metrics_.found.orphan_packs, 1u);
}

TEST_F(ReconcilerTest, AnOrphanOfAnOpenSessionStays) {
  const SessionId id = Begin(1);
  PutWithRow(id, 0, 3);
  const StoredPack orphan = Put(id, 4, 7);
  Restart();
  RunPass();
  Wait(absl::Hours(100));
  RunPass();
  EXPECT_TRUE(IsThere(orphan));
  // Its row arrives at last.
  ASSERT_TRUE(index_.AddPack(id, orphan).ok());
  RunPass();
  EXPECT_EQ(metrics_.found, Differences());
}

TEST_F(ReconcilerTest, ASegmentThatNothingNamesIsRemoved) {
  const SessionId gone = Begin(1);
  const StoredPack dead = PutWithRow(gone, 0, 3);
  Restart();
  const StoredPack kept = PutWithRow(Begin(2), 0, 7);
  Restart();
  ASSERT_NE(dead.ref.key, kept.ref.key);
  ASSERT_TRUE(index_.AbandonSession(gone, "abandoned").ok());
  RunPass();
  Wait(absl::Hours(25));
  RunPass();
  EXPECT_EQ(metrics_.removed, 1);
  EXPECT_EQ(disk_.files(), 1u);
  EXPECT_TRUE(IsThere(kept));
}

TEST_F(ReconcilerTest, AnEmptyDatabaseReleasesNothing) {
  const SessionId id("0000000000000000000000000000abcd");
  const StoredPack pack = Put(id, 0, 3);
  Restart();
  for (int i = 0; i < 5; ++i) {
    RunPass();
    Wait(absl::Hours(25));
  }
  EXPECT_TRUE(metrics_.holding_back);
  EXPECT_TRUE(IsThere(pack));
  Restart({.release = OrphanRelease::kAlways});
  for (int i = 0; i < 3; ++i) RunPass();
  EXPECT_FALSE(IsThere(pack));
}

TEST_F(ReconcilerTest, ManyOrphansAmongFewRowsReleaseNothing) {
  PutWithRow(Begin(1), 0, 0);
  const SessionId gone("0000000000000000000000000000abcd");
  std::vector<StoredPack> packs;
  for (int i = 0; i < 130; ++i) packs.push_back(Put(gone, 0, 7));  // 65 MiB
  Restart();
  for (int i = 0; i < 3; ++i) {
    RunPass();
    Wait(absl::Hours(25));
  }
  EXPECT_TRUE(metrics_.holding_back);
  EXPECT_EQ(metrics_.found.orphan_packs, 130u);
  EXPECT_EQ(metrics_.removed + metrics_.released, 0);
}

TEST_F(ReconcilerTest, WhoeverSaysNeverKeepsEverything) {
  PutWithRow(Begin(1), 0, 0);
  const StoredPack orphan = Put(SessionId("0000000000000000000000000000abcd"), 0, 3);
  Restart({.release = OrphanRelease::kNever});
  for (int i = 0; i < 3; ++i) {
    RunPass();
    Wait(absl::Hours(25));
  }
  EXPECT_TRUE(IsThere(orphan));
}

TEST_F(ReconcilerTest, LostBytesAreFoundWhateverTookThem) {
  const SessionId id = Begin(1);
  const StoredPack damaged = PutWithRow(id, 0, 3);
  const StoredPack well = PutWithRow(id, 4, 5);
  Restart();
  const StoredPack missing = PutWithRow(id, 6, 7);
  Finish(id);
  Restart();
  disk_.Damage("/d/" + damaged.ref.key, damaged.ref.offset + damaged.ref.size / 2);
  disk_.Remove("/d/" + missing.ref.key);
  RunPass();
  EXPECT_EQ(metrics_.found.damaged_packs, 1u);
  EXPECT_EQ(metrics_.found.missing_packs, 1u);
  EXPECT_EQ(metrics_.found.orphan_packs, 0u);
  Wait(absl::Hours(100));
  RunPass();
  EXPECT_EQ(metrics_.released + metrics_.removed, 0) << "what is damaged is not thrown away";
  EXPECT_TRUE(IsThere(well));
}

TEST_F(ReconcilerTest, ACutOffTailThatARowNamesIsMissing) {
  const SessionId id = Begin(1);
  PutWithRow(id, 0, 3);
  StoredPack pack = Put(id, 4, 7);
  pack.ref.offset += pack.ref.size + 16;  // a row for a pack that never became durable
  ASSERT_TRUE(index_.AddPack(id, pack).ok());
  Restart();
  RunPass();
  EXPECT_EQ(metrics_.found.missing_packs, 1u);
}

TEST_F(ReconcilerTest, AnOutageEndsAStepAndThePassGoesOn) {
  PutWithRow(Begin(1), 0, 7);
  Restart();
  PutWithRow(Begin(2), 0, 7);
  Restart();
  EXPECT_FALSE(*reconciler_->Step());
  index_.SetStatus(absl::UnavailableError("down"));
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(reconciler_->Step().ok());
  index_.SetStatus(absl::OkStatus());
  EXPECT_TRUE(*reconciler_->Step());
  EXPECT_EQ(metrics_.found, Differences());
}

TEST_F(ReconcilerTest, ScrubsInTurnAndNoMoreThanADaysBytes) {
  uint64_t bytes = 0;
  std::vector<StoredPack> packs;
  for (int i = 1; i <= 4; ++i) {
    packs.push_back(PutWithRow(Begin(i), 0, 7));
    bytes += packs.back().ref.size;
    Restart();
  }
  Restart({.scrub_bytes_per_day = bytes / 2});
  Wait(absl::Hours(1));
  for (int i = 0; i < 24 * 6; ++i) {
    RunPass();
    Wait(absl::Minutes(10));
  }
  EXPECT_GE(metrics_.scrubbed, bytes / 2);
  EXPECT_LE(metrics_.scrubbed, bytes / 2 + 2 * packs[0].ref.size);  // a key at a time, and the first hour's
  EXPECT_EQ(metrics_.scrub_damage, 0);
}

TEST_F(ReconcilerTest, TheScrubFindsWhatItsChecksumDoesNot) {
  const SessionId id = Begin(1);
  // A bug, not a disk: the record's checksum is right and a chunk's digest is not.
  PackBuilder builder;
  builder.Add({.raw_size = kChunkBytes, .digest = Sha256Of(BytesOf("something else"))}, BytesOf(Raw(0)));
  const Pack pack = builder.Build(id.value());
  ASSERT_TRUE(index_.AddPack(id, {.ref = *store_->Put(BytesOf(pack.bytes)), .entries = pack.entries}).ok());
  Restart();
  RunPass();
  EXPECT_EQ(metrics_.scrub_damage, 1);
}

TEST_F(ReconcilerTest, AFakeRecordInsideOfALivePackIsNoOrphan) {
  // What the index names is at 100..1100; a scan of a damaged segment may come up with something inside.
  const SessionId id("0000000000000000000000000000abcd");
  const std::vector<IndexedPack> named = {{{"k", 100, 1000}, id}, {{"k", 2000, 10}, id}};
  const std::vector<PackStore::KeptPack> kept = {{{"k", 20, 70}, ""},
                                                 {{"k", 500, 100}, ""},
                                                 {{"k", 1090, 100}, ""},
                                                 {{"k", 2000, 10}, ""},
                                                 {{"k", 2030, 1}, ""}};
  const KeyDifference difference = Compare(kept, named);
  ASSERT_EQ(difference.orphans.size(), 2u);
  EXPECT_EQ(difference.orphans[0].ref.offset, 20u);
  EXPECT_EQ(difference.orphans[1].ref.offset, 2030u);
  ASSERT_EQ(difference.lost.size(), 1u);
  EXPECT_EQ(difference.lost[0].ref.offset, 100u);
}

TEST_F(ReconcilerTest, TheScheduleRecoversAndThenPasses) {
  const SessionId id = Begin(1);
  Put(id, 0, 3);
  Restart();
  {
    const ReconcileSchedule schedule(&*reconciler_, {.between_keys = absl::Milliseconds(1)});
    EXPECT_TRUE(metrics_.AwaitPass());
  }
  EXPECT_EQ(metrics_.adopted, 1);
}

}  // namespace
}  // namespace corefleet

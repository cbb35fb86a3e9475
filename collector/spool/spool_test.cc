#include "collector/spool/spool.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "collector/spool/spool_fixture.h"

namespace corefleet {
namespace {

// Counts how often and where it is read.
class OncePassSource final : public ByteSource {
 public:
  explicit OncePassSource(uint64_t size) : size_(size) {}
  uint64_t size() const override { return size_; }
  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override {
    EXPECT_EQ(offset, next_) << "read twice, or not from front to end";
    EXPECT_LE(out.size(), kChunkBytes);
    next_ = offset + out.size();
    std::fill(out.begin(), out.end(), static_cast<uint8_t>(offset >> 16));
    return absl::OkStatus();
  }
  uint64_t next() const { return next_; }

 private:
  const uint64_t size_;
  mutable uint64_t next_ = 0;
};

class FailingSource final : public ByteSource {
 public:
  uint64_t size() const override { return 200000; }
  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override {
    if (offset > 0) return absl::UnavailableError("gone");
    std::fill(out.begin(), out.end(), 1);
    return absl::OkStatus();
  }
};

TEST_F(SpoolTest, GivesBackWhatItWasGiven) {
  RegionSet set = CrashOf(Noise(150000, 1));
  set.regions.push_back(CrashOf(std::vector<uint8_t>(), "").regions[0]);  // an empty region
  set.regions.push_back(CrashOf(Noise(70000, 2), "md_other.BIN").regions[0]);
  set.regions[2].id = 7;
  set.regions[2].paddr = 0x8000;
  SpoolTags tags = TagsOf("Kernel panic - not syncing: Fatal exception");
  tags.clues.captured_at = absl::FromUnixSeconds(1700000000);
  tags.clues.priority = 3;
  tags.note = "a note";
  const auto put = spool_->Put(set, tags);
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(put->outcome, PutOutcome::kSpooled);
  EXPECT_EQ(put->uid, UidOf(*MakeManifest(set)));
  Reopen();

  const auto entry = spool_->Find(put->id);
  ASSERT_TRUE(entry.ok());
  EXPECT_EQ(entry->tags.device, tags.device);
  EXPECT_EQ(entry->tags.clues, tags.clues);
  EXPECT_EQ(entry->tags.note, "a note");
  EXPECT_EQ(entry->tags.boot_id, "boot-2");
  EXPECT_EQ(entry->raw_bytes, 220000u);
  EXPECT_EQ(entry->regions, 3u);
  const auto crash = spool_->OpenEntry(put->id);
  ASSERT_TRUE(crash.ok());
  EXPECT_EQ((*crash)->manifest(), *MakeManifest(set));
  const std::vector<uint8_t> first = Noise(150000, 1), third = Noise(70000, 2);
  EXPECT_EQ(ContentOf(**crash, 0), std::string(first.begin(), first.end()));
  EXPECT_EQ(ContentOf(**crash, 1), "");
  EXPECT_EQ(ContentOf(**crash, 2), std::string(third.begin(), third.end()));
  EXPECT_TRUE(absl::IsOutOfRange((*crash)->Read(0, 3).status()));
  EXPECT_TRUE(absl::IsOutOfRange((*crash)->Read(1, 0).status()));
  EXPECT_TRUE(absl::IsOutOfRange((*crash)->Read(3, 0).status()));
}

TEST_F(SpoolTest, ReadsASourceOnceAndOverManyTables) {
  // 2100 chunks: three tables.
  RegionSet set = CrashOf("x");
  const auto source = std::make_shared<OncePassSource>(2100 * uint64_t{kChunkBytes});
  set.regions[0].bytes = source;
  const auto put = spool_->Put(set, TagsOf(""));
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(source->next(), source->size());
  Reopen();
  const auto crash = spool_->OpenEntry(put->id);
  for (const uint64_t chunk : {0, 1023, 1024, 2047, 2048, 2099, 5}) {
    const auto read = (*crash)->Read(0, chunk);
    ASSERT_TRUE(read.ok()) << read.status();
    const std::vector<uint8_t> raw(kChunkBytes, static_cast<uint8_t>(chunk));
    EXPECT_EQ(read->sha256, Sha256Of(ByteView(raw))) << chunk;
  }
}

TEST_F(SpoolTest, NothingIsLeftOfACrashThatCannotBeRead) {
  RegionSet set = CrashOf("x");
  set.regions[0].bytes = std::make_shared<FailingSource>();
  EXPECT_TRUE(absl::IsUnavailable(spool_->Put(set, TagsOf("")).status()));
  EXPECT_TRUE(Ids().empty());
  EXPECT_EQ(disk_.Names(), std::vector<std::string>{"ledger"});
  EXPECT_EQ(spool_->Stats().bytes, 8192u);
}

TEST_F(SpoolTest, TheSameCrashIsSpooledOnce) {
  const SpoolId id = Put("one");
  const auto again = spool_->Put(CrashOf("one"), TagsOf(""));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->outcome, PutOutcome::kAlreadySpooled);
  EXPECT_EQ(again->id, id);
  SpoolTags other = TagsOf("");
  other.device = DeviceId("edge-2");
  EXPECT_EQ(spool_->Put(CrashOf("one"), other)->outcome, PutOutcome::kSpooled);
  EXPECT_EQ(Ids().size(), 2u);
}

TEST_F(SpoolTest, WhatAServerHasIsNotKept) {
  known_ = [](const CrashUid&) { return true; };
  Reopen();
  const auto put = spool_->Put(CrashOf("one"), TagsOf(""));
  ASSERT_TRUE(put.ok());
  EXPECT_EQ(put->outcome, PutOutcome::kAlreadySent);
  EXPECT_EQ(disk_.Names(), std::vector<std::string>{"ledger"});
}

TEST_F(SpoolTest, RefusesWhatCanNeverBeSent) {
  EXPECT_TRUE(absl::IsInvalidArgument(spool_->Put(RegionSet(), TagsOf("")).status()));
}

TEST_F(SpoolTest, RefusesWhatIsTooLargeBeforeItWritesAnything) {
  limits_.max_crash_bytes = 100000;
  Reopen();
  const int before = disk_.changes();
  EXPECT_TRUE(absl::IsOutOfRange(spool_->Put(CrashOf(Noise(100001, 1)), TagsOf("")).status()));
  EXPECT_EQ(disk_.changes(), before);
}

TEST_F(SpoolTest, RefusesWhatTurnsOutToBeLargerThanTheSpool) {
  EXPECT_TRUE(absl::IsOutOfRange(spool_->Put(CrashOf(Noise(5 << 20, 1)), TagsOf("")).status()));
  EXPECT_EQ(disk_.Names(), std::vector<std::string>{"ledger"});
  // The same size that compresses is welcome.
  EXPECT_TRUE(spool_->Put(CrashOf(std::vector<uint8_t>(5 << 20)), TagsOf("")).ok());
}

TEST_F(SpoolTest, SentAndRefusedGoWithoutBeingLost) {
  const SpoolId one = Put("one"), two = Put("two");
  EXPECT_TRUE(spool_->Sent(one).ok());
  EXPECT_TRUE(spool_->Refused(two).ok());
  EXPECT_TRUE(spool_->Sent(one).ok());  // again
  Reopen();
  EXPECT_TRUE(Ids().empty());
  EXPECT_EQ(spool_->Losses().total(), 0u);
}

TEST_F(SpoolTest, DropCountsWithItsReason) {
  EXPECT_TRUE(spool_->Drop(Put("one"), LossReason::kConsent).ok());
  EXPECT_TRUE(spool_->Drop(99, LossReason::kConsent).ok());
  Reopen();
  EXPECT_TRUE(Ids().empty());
  EXPECT_EQ(Lost(LossReason::kConsent), 1u);
}

TEST_F(SpoolTest, ALoopDoesNotStarveARareCrash) {
  limits_.max_entries = 6;
  Reopen();
  const SpoolId rare = Put("rare", "BUG: kernel NULL pointer dereference, address: 0000000000000008");
  std::vector<SpoolId> loop;
  for (int i = 0; i < 40; ++i) {
    loop.push_back(Put(absl::StrCat("loop ", i), absl::StrCat("Oops: fault at ", i, "f00 in foo+0x", i)));
  }
  const std::vector<SpoolId> left = Ids();
  EXPECT_EQ(left.size(), 6u);
  EXPECT_NE(std::find(left.begin(), left.end(), rare), left.end());
  // Its first and its last say when it began, and that it goes on.
  EXPECT_NE(std::find(left.begin(), left.end(), loop.front()), left.end());
  EXPECT_NE(std::find(left.begin(), left.end(), loop.back()), left.end());
  EXPECT_EQ(Lost(LossReason::kSpoolEntries), 35u);
  EXPECT_EQ(spool_->Stats().kinds, 2u);
}

TEST_F(SpoolTest, TheBytesLimitHoldsWhileEntriesAreWritten) {
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(spool_->Put(CrashOf(Noise(300000, i)), TagsOf("loop")).ok());
    EXPECT_LE(spool_->Stats().bytes, limits_.max_bytes);
  }
  EXPECT_GT(Lost(LossReason::kSpoolBytes), 0u);
  EXPECT_EQ(Ids().size() + Lost(LossReason::kSpoolBytes), 30u);
}

TEST_F(SpoolTest, LeavesOthersTheirSpace) {
  disk_.set_free_bytes(3 << 20);
  Reopen();
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(spool_->Put(CrashOf(Noise(500000, i)), TagsOf("loop")).ok());
    EXPECT_GE(disk_.free_bytes(), limits_.min_free_bytes);
  }
  EXPECT_EQ(Ids().size() + Lost(LossReason::kSpoolHeadroom), 10u);
}

TEST_F(SpoolTest, LeavesOthersTheirInodes) {
  disk_.set_free_inodes(limits_.min_free_inodes + 3);
  for (int i = 0; i < 5; ++i) Put(absl::StrCat("crash ", i));
  EXPECT_EQ(Ids().size(), 3u);
  EXPECT_EQ(Lost(LossReason::kSpoolInodes), 2u);
}

TEST_F(SpoolTest, WhenOthersTakeTheSpaceOnlyALoopMakesWay) {
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(spool_->Put(CrashOf(Noise(400000, i)), TagsOf("loop")).ok());
  const SpoolId rare = Put("rare", "something else");
  disk_.set_free_bytes(limits_.min_free_bytes - 900000);
  spool_->Tidy();
  EXPECT_GE(disk_.free_bytes(), limits_.min_free_bytes);
  EXPECT_EQ(Lost(LossReason::kSpoolHeadroom), 3u);
  EXPECT_TRUE(spool_->Find(rare).ok());
  // When even that does not help, nothing goes for nothing.
  disk_.set_free_bytes(0);
  spool_->Tidy();
  EXPECT_EQ(Ids().size(), 4u);
}

TEST_F(SpoolTest, AFullDiskCostsTheNewCrashAndNoOldOne) {
  const SpoolId old = Put("old", "old");
  disk_.set_free_bytes(0);
  const auto put = spool_->Put(CrashOf("new"), TagsOf("new"));
  EXPECT_TRUE(absl::IsResourceExhausted(put.status())) << put.status();
  EXPECT_EQ(Ids(), std::vector<SpoolId>{old});
  EXPECT_EQ(spool_->Losses().total(), 0u);
}

TEST_F(SpoolTest, ADiskThatIsFullerThanItSaysCleansUp) {
  limits_.min_free_bytes = 0;
  Reopen();
  disk_.FailAt(3, absl::ResourceExhaustedError("no space left"));
  EXPECT_TRUE(absl::IsResourceExhausted(spool_->Put(CrashOf(Noise(900000, 1)), TagsOf("")).status()));
  EXPECT_EQ(disk_.Names(), std::vector<std::string>{"ledger"});
  EXPECT_NE(Put("small"), 0u);
}

TEST_F(SpoolTest, OnAFullDiskLossesAreStillCountedDurably) {
  const SpoolId id = Put("one");
  disk_.set_free_bytes(0);
  disk_.set_free_inodes(0);
  EXPECT_TRUE(spool_->Drop(id, LossReason::kPolicy).ok());
  EXPECT_FALSE(spool_->Stats().losses_unsaved);
  Reopen();
  EXPECT_EQ(Lost(LossReason::kPolicy), 1u);
}

TEST_F(SpoolTest, OnAReadOnlyFileSystemItGoesOnSending) {
  const SpoolId one = Put("one"), two = Put("two");
  disk_.set_read_only(true);
  Reopen();
  EXPECT_EQ(Ids().size(), 2u);
  EXPECT_EQ(ContentOf(spool_.get(), one), "one");
  EXPECT_TRUE(absl::IsFailedPrecondition(spool_->Put(CrashOf("new"), TagsOf("")).status()));
  EXPECT_TRUE(spool_->Stats().read_only);
  EXPECT_FALSE(spool_->Sent(one).ok());
  EXPECT_EQ(Ids(), std::vector<SpoolId>{two});  // not sent again by this process
  spool_->CountLoss(LossReason::kUnreadable, "");
  EXPECT_EQ(Lost(LossReason::kUnreadable), 1u);
  EXPECT_TRUE(spool_->Stats().losses_unsaved);
  // What cannot go is not counted as gone.
  EXPECT_FALSE(spool_->Drop(two, LossReason::kConsent).ok());
  EXPECT_EQ(Ids(), std::vector<SpoolId>{two});
  EXPECT_EQ(spool_->Losses().total(), 1u);
  EXPECT_FALSE(spool_->KeepRest(two, absl::Hours(1)).ok());
  EXPECT_TRUE(spool_->Find(two)->rest_only);
}

TEST_F(SpoolTest, KindsTakeTurnsInSending) {
  const SpoolId a1 = Put("a1", "a"), a2 = Put("a2", "a"), a3 = Put("a3", "a"), b1 = Put("b1", "b");
  EXPECT_EQ(Ids(), (std::vector<SpoolId>{a1, b1, a2, a3}));
  SpoolTags urgent = TagsOf("a");
  urgent.clues.priority = 5;
  const SpoolId first = spool_->Put(CrashOf("urgent"), urgent)->id;
  EXPECT_EQ(Ids().front(), first);
  spool_->Postpone(first, absl::Minutes(5));
  EXPECT_EQ(Ids().back(), first);
  EXPECT_EQ(spool_->Find(first)->wait, absl::Minutes(5));
  clock_.Advance(absl::Minutes(5));
  EXPECT_EQ(Ids().front(), first);
}

TEST_F(SpoolTest, ARestIsSentLastGoesFirstAndIsNoLoss) {
  limits_.max_entries = 3;
  Reopen();
  const SpoolId rest = Put("rest", "a");
  ASSERT_TRUE(spool_->KeepRest(rest, absl::Hours(2)).ok());
  const SpoolId b = Put("b", "b"), c = Put("c", "c");
  Reopen();
  EXPECT_EQ(Ids(), (std::vector<SpoolId>{b, c, rest}));
  EXPECT_EQ(spool_->Find(rest)->wait, absl::Hours(2));
  const SpoolId d = Put("d", "d");
  EXPECT_EQ(Ids(), (std::vector<SpoolId>{b, c, d}));
  EXPECT_EQ(spool_->Losses().total(), 0u);
  EXPECT_EQ(spool_->Stats().rests_dropped, 1u);
}

TEST_F(SpoolTest, TheOnlyOnesOfTheirKindsGoOldestAndLeastFirst) {
  limits_.max_entries = 3;
  Reopen();
  SpoolTags urgent = TagsOf("a");
  urgent.clues.priority = 1;
  const SpoolId a = spool_->Put(CrashOf("a"), urgent)->id;
  const SpoolId b = Put("b", "b"), c = Put("c", "c"), d = Put("d", "d");
  EXPECT_EQ(Ids(), (std::vector<SpoolId>{a, c, d}));
  EXPECT_FALSE(spool_->Find(b).ok());
}

TEST_F(SpoolTest, NoneGoesWhileItIsRead) {
  limits_.max_entries = 2;
  Reopen();
  const SpoolId a = Put("a", "a"), b = Put("b", "b");
  const auto reading = spool_->OpenEntry(a);
  Put("c", "c");
  EXPECT_TRUE(spool_->Find(a).ok());
  EXPECT_FALSE(spool_->Find(b).ok());
  // Not even one that goes for another reason is cut off.
  EXPECT_TRUE(spool_->Drop(a, LossReason::kConsent).ok());
  EXPECT_EQ(ContentOf(**reading), "a");
}

TEST_F(SpoolTest, ASmallCrashIsSparedWhenALargeOneMakesTheRoom) {
  const SpoolId small = Put("small", "small");
  const auto large = spool_->Put(CrashOf(Noise(3 << 20, 1)), TagsOf("large"));
  const auto next = spool_->Put(CrashOf(Noise(2 << 20, 2)), TagsOf("next"));
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(Ids(), (std::vector<SpoolId>{small, next->id}));
  EXPECT_FALSE(spool_->Find(large->id).ok());
}

// --- Time.

TEST_F(SpoolTest, AgeIsTheTimeTheDeviceWasUp) {
  limits_.max_age = absl::Hours(24);
  Reopen();
  const SpoolId id = Put("old");
  clock_.Advance(absl::Hours(20));
  spool_->Tidy();
  EXPECT_EQ(spool_->Find(id)->age, absl::Hours(20));
  // A restart of the agent in the same boot.
  clock_.Advance(absl::Hours(1));
  Reopen();
  EXPECT_EQ(spool_->Find(id)->age, absl::Hours(21));
  // Ten years in a drawer, then another boot.
  boot_id_ = "boot-3";
  clock_.Set(absl::Hours(2));
  Reopen();
  EXPECT_EQ(spool_->Find(id)->age, absl::Hours(23));
  spool_->Tidy();
  clock_.Advance(absl::Hours(3));
  spool_->Tidy();
  EXPECT_TRUE(Ids().empty());
  EXPECT_EQ(Lost(LossReason::kSpoolAge), 1u);
}

TEST_F(SpoolTest, ALostLedgerTakesNoAgeAway) {
  clock_.Set(absl::Hours(50));
  const SpoolId id = Put("one");
  disk_.Bytes("ledger")->assign(8192, 0xee);
  boot_id_ = "boot-3";
  clock_.Set(absl::Hours(1));
  Reopen();
  EXPECT_LE(spool_->Find(id)->age, absl::Hours(1));
}

// --- Damage.

TEST_F(SpoolTest, ADamagedEntryIsPutAsideAndCountedOnce) {
  const SpoolId bad = Put("bad", "a"), good = Put("good", "b");
  disk_.Bytes(NameOf(bad))->back() ^= 1;
  Reopen();
  EXPECT_EQ(Ids(), std::vector<SpoolId>{good});
  EXPECT_EQ(Lost(LossReason::kSpoolDamaged), 1u);
  EXPECT_EQ(spool_->Stats().quarantined, 1u);
  Reopen();
  EXPECT_EQ(Lost(LossReason::kSpoolDamaged), 1u);
  EXPECT_NE(disk_.Bytes(NameOf(bad, ".damaged")), nullptr);
}

TEST_F(SpoolTest, DamagedBytesNeverLeaveTheDevice) {
  const std::vector<uint8_t> noise = Noise(200000, 1);
  const SpoolId id = spool_->Put(CrashOf(noise), TagsOf(""))->id;
  (*disk_.Bytes(NameOf(id)))[32 + 65536 + 5] ^= 1;
  Reopen();
  const auto crash = spool_->OpenEntry(id);
  ASSERT_TRUE(crash.ok());
  EXPECT_TRUE((*crash)->Read(0, 0).ok());
  EXPECT_TRUE(absl::IsDataLoss((*crash)->Read(0, 1).status()));
  EXPECT_TRUE(spool_->Quarantine(id).ok());
  EXPECT_TRUE(Ids().empty());
  EXPECT_EQ(Lost(LossReason::kSpoolDamaged), 1u);
}

TEST_F(SpoolTest, QuarantineTakesNoRoomFromCrashes) {
  for (int i = 0; i < 3; ++i) {
    const SpoolId id = spool_->Put(CrashOf(Noise(1 << 20, i)), TagsOf("x"))->id;
    EXPECT_TRUE(spool_->Quarantine(id).ok());
  }
  EXPECT_EQ(spool_->Stats().quarantined, 3u);
  ASSERT_TRUE(spool_->Put(CrashOf(Noise(3 << 20, 9)), TagsOf("y")).ok());
  EXPECT_LT(spool_->Stats().quarantined, 3u);
  EXPECT_EQ(spool_->Losses().total(), 3u);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(spool_->Quarantine(Put(absl::StrCat(i))).ok());
  EXPECT_LE(spool_->Stats().quarantined, 8u);
}

TEST_F(SpoolTest, StrangersFilesAreLeftAlone) {
  for (const char* name :
       {"readme", "0000000000000000.crash", "000000000000000G.crash", "0000000000000001.crash.x"})
    ASSERT_TRUE(disk_.Open()->Create(name).ok());
  Reopen();
  EXPECT_EQ(disk_.Names().size(), 5u);
  EXPECT_TRUE(Ids().empty());
}

// --- Clues.

TEST_F(SpoolTest, CluesAreKeptAndCompleted) {
  const SpoolId id = Put("one");
  EXPECT_FALSE(spool_->Find(id)->clues_tried);
  EXPECT_TRUE(
      spool_->SetClues(id, {.build_id = "ab12", .panic = "line\nforged" + std::string(300, 'x')}).ok());
  Reopen();
  const SpoolEntry entry = *spool_->Find(id);
  EXPECT_TRUE(entry.clues_tried);
  EXPECT_EQ(entry.tags.clues.build_id, "ab12");
  EXPECT_EQ(entry.tags.clues.source, "pstore");
  EXPECT_EQ(entry.tags.clues.panic.size(), 256u);
  EXPECT_TRUE(absl::StartsWith(entry.tags.clues.panic, "line\\x0aforged"));
  EXPECT_EQ((*spool_->OpenEntry(id))->clues(), entry.tags.clues);
}

TEST_F(SpoolTest, ATornStateIsWrittenOver) {
  const SpoolId id = Put("one");
  ASSERT_TRUE(spool_->SetClues(id, {.build_id = "first"}).ok());
  disk_.FailAt(2, absl::ResourceExhaustedError("no space left"));
  EXPECT_FALSE(spool_->SetClues(id, {.build_id = "second"}).ok());
  EXPECT_EQ(spool_->Find(id)->tags.clues.build_id, "second");  // in memory
  Reopen();
  EXPECT_EQ(spool_->Find(id)->tags.clues.build_id, "first");
  ASSERT_TRUE(spool_->SetClues(id, {.build_id = "third"}).ok());
  Reopen();
  EXPECT_EQ(spool_->Find(id)->tags.clues.build_id, "third");
}

TEST_F(SpoolTest, ChangesOfOneEntryAreBounded) {
  const SpoolId id = Put("one");
  const size_t before = disk_.Bytes(NameOf(id))->size();
  for (int i = 0; i < 2000; ++i) spool_->KeepRest(id, absl::Hours(i)).IgnoreError();
  EXPECT_LE(disk_.Bytes(NameOf(id))->size(), before + (64 << 10));
  Reopen();
  EXPECT_TRUE(spool_->Find(id)->rest_only);
}

// --- Losses.

TEST_F(SpoolTest, WhatIsLostBeforeItIsAnEntryIsCountedOnce) {
  spool_->CountLoss(LossReason::kTooLarge, "/var/crash/vmcore 17");
  spool_->CountLoss(LossReason::kTooLarge, "/var/crash/vmcore 17");
  Reopen();
  spool_->CountLoss(LossReason::kTooLarge, "/var/crash/vmcore 17");
  spool_->CountLoss(LossReason::kTooLarge, "/var/crash/vmcore 18");
  EXPECT_EQ(Lost(LossReason::kTooLarge), 2u);
}

TEST_F(SpoolTest, AnEpochLastsAsLongAsTheLedger) {
  const std::string epoch = spool_->Losses().epoch;
  EXPECT_EQ(epoch.size(), 32u);
  Reopen();
  EXPECT_EQ(spool_->Losses().epoch, epoch);
  disk_.Bytes("ledger")->assign(8192, 0);
  Reopen();
  EXPECT_NE(spool_->Losses().epoch, epoch);
}

}  // namespace
}  // namespace corefleet

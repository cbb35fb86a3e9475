#include "storage/segment/segment_pack_store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/segment/faulty_file_system.h"
#include "storage/segment/segment_format.h"

namespace corefleet {
namespace {

// A pack of `size` bytes that no other number has.
std::string PackNumber(int number, size_t size = 1000) {
  std::string pack(size, static_cast<char>(number));
  pack.replace(0, 8, absl::StrCat(number, "        ").substr(0, 8));
  return pack;
}

class SegmentPackStoreTest : public testing::Test {
 protected:
  SegmentPackStoreTest() { Start(); }

  void Start(uint64_t segment_bytes = 1 << 20) {
    store_.reset();
    store_ = *SegmentPackStore::Open("/d", {.segment_bytes = segment_bytes, .file_system = &disk_});
  }

  absl::StatusOr<PackRef> Put(const std::string& pack) { return store_->Put(BytesOf(pack)); }

  // What stands at `ref`, or why not.
  absl::StatusOr<std::string> Get(const PackRef& ref) {
    std::string out(ref.size, '\0');
    absl::Status status =
        store_->Read(ref, 0, absl::MakeSpan(reinterpret_cast<uint8_t*>(&out[0]), out.size()));
    if (!status.ok()) return status;
    return out;
  }

  FaultyFileSystem disk_;
  std::unique_ptr<SegmentPackStore> store_;
};

TEST_F(SegmentPackStoreTest, WhatWasAcknowledgedSurvivesAPowerCut) {
  std::vector<PackRef> refs;
  for (int i = 0; i < 20; ++i) refs.push_back(*Put(PackNumber(i)));
  disk_.CutPower();
  Start();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Get(refs[i]).value_or("lost"), PackNumber(i)) << i;
}

TEST_F(SegmentPackStoreTest, OldSegmentsLeaveThePageCacheAndTheLastStay) {
  store_ = *SegmentPackStore::Open("/d", {.segment_bytes = 1, .cached_segments = 2, .file_system = &disk_});
  std::vector<PackRef> refs;
  for (int i = 0; i < 5; ++i) refs.push_back(*Put(PackNumber(i)));
  // Of four closed ones.
  EXPECT_EQ(disk_.uncached(), (std::vector<std::string>{"/d/" + refs[0].key, "/d/" + refs[1].key}));
}

TEST_F(SegmentPackStoreTest, AStartNeverAppendsToATornSegment) {
  const PackRef kept = *Put(PackNumber(1));
  disk_.HoldSyncs(true);
  std::thread writer([&] { (void)Put(PackNumber(2)); });
  disk_.AwaitAppends(3);
  disk_.CutPower(500);  // in the middle of the second pack
  disk_.HoldSyncs(false);
  writer.join();
  Start();
  const PackRef next = *Put(PackNumber(3));
  EXPECT_NE(next.key, kept.key);
  EXPECT_EQ(Get(kept).value_or("lost"), PackNumber(1));
  EXPECT_EQ(Get(next).value_or("lost"), PackNumber(3));
}

TEST_F(SegmentPackStoreTest, WritersThatWaitShareOneSync) {
  ASSERT_TRUE(Put(PackNumber(0)).ok());
  const int before = disk_.syncs();
  disk_.HoldSyncs(true);
  std::vector<std::thread> writers;
  for (int i = 1; i <= 16; ++i) {
    writers.emplace_back([this, i] { EXPECT_TRUE(Put(PackNumber(i)).ok()); });
  }
  disk_.AwaitAppends(2 + 16);  // the segment's magic, the first pack, and all of these
  disk_.HoldSyncs(false);
  for (std::thread& writer : writers) writer.join();
  EXPECT_LE(disk_.syncs() - before, 2);  // the one that was held, and one for all who came meanwhile
}

TEST_F(SegmentPackStoreTest, WhatIsOnlyWrittenAPowerCutTakes) {
  const auto written = *store_->Write({BytesOf(PackNumber(1))});
  const auto synced = *store_->Write({BytesOf(PackNumber(2))});
  const auto late = [&] { return *store_->Write({BytesOf(PackNumber(3))}); };
  const int before = disk_.syncs();
  ASSERT_TRUE(synced->Sync().ok());
  ASSERT_TRUE(written->Sync().ok());
  EXPECT_EQ(disk_.syncs(), before + 1) << "what lies before another pack is durable with it";
  const PackRef lost = late()->ref();
  disk_.CutPower();
  Start();
  EXPECT_EQ(Get(written->ref()).value_or("lost"), PackNumber(1));
  EXPECT_EQ(Get(synced->ref()).value_or("lost"), PackNumber(2));
  EXPECT_FALSE(Get(lost).ok());
}

TEST_F(SegmentPackStoreTest, ASegmentIsNotClosedWhileAPackInItMayBeSynced) {
  Start(/*segment_bytes=*/500);
  auto first = *store_->Write({BytesOf(PackNumber(1))});
  auto second = *store_->Write({BytesOf(PackNumber(2))});
  const PackRef ref = first->ref();
  ASSERT_NE(ref.key, second->ref().key);
  EXPECT_EQ(store_->ClosedKeys()->size(), 0u);
  EXPECT_EQ(store_->Contents(ref.key).status().code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(second->Sync().ok());
  ASSERT_TRUE(first->Sync().ok()) << "though another one is active by now";
  first.reset();
  EXPECT_EQ(*store_->ClosedKeys(), std::vector<std::string>{ref.key});
  disk_.CutPower();
  EXPECT_EQ(Get(ref).value_or("lost"), PackNumber(1));
}

TEST_F(SegmentPackStoreTest, AFailedSyncTakesWhatWasOnlyWrittenBeforeIt) {
  const auto kept = *store_->Write({BytesOf(PackNumber(1))});
  ASSERT_TRUE(kept->Sync().ok());
  const auto written = *store_->Write({BytesOf(PackNumber(2))});
  disk_.FailNextSync();
  EXPECT_EQ(Put(PackNumber(3)).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(written->Sync().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(written->Sync().code(), absl::StatusCode::kUnavailable) << "no later sync says otherwise";
  EXPECT_TRUE(kept->Sync().ok());
}

TEST_F(SegmentPackStoreTest, AFullDiskLeavesWhatWasWrittenBefore) {
  const auto written = *store_->Write({BytesOf(PackNumber(1))});
  disk_.SetFreeBytes(500);
  EXPECT_EQ(store_->Write({BytesOf(PackNumber(2))}).status().code(), absl::StatusCode::kResourceExhausted);
  ASSERT_TRUE(written->Sync().ok());
  disk_.CutPower();
  Start();
  EXPECT_EQ(Get(written->ref()).value_or("lost"), PackNumber(1));
}

TEST_F(SegmentPackStoreTest, AFailedSyncIsNeverAcknowledgedAndNeverTriedAgain) {
  const PackRef kept = *Put(PackNumber(1));
  disk_.FailNextSync();
  EXPECT_EQ(Put(PackNumber(2)).status().code(), absl::StatusCode::kUnavailable);
  const auto next = Put(PackNumber(3));
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_NE(next->key, kept.key);
  disk_.CutPower();
  Start();
  EXPECT_EQ(Get(kept).value_or("lost"), PackNumber(1));
  EXPECT_EQ(Get(*next).value_or("lost"), PackNumber(3));
}

TEST_F(SegmentPackStoreTest, AFailedSyncFailsAllWhoWaitedForIt) {
  ASSERT_TRUE(Put(PackNumber(0)).ok());
  disk_.FailNextSync();
  disk_.HoldSyncs(true);
  std::vector<std::thread> writers;
  std::vector<absl::StatusOr<PackRef>> results(4);
  for (int i = 0; i < 4; ++i)
    writers.emplace_back([this, i, &results] { results[i] = Put(PackNumber(i + 1)); });
  disk_.AwaitAppends(2 + 4);
  disk_.HoldSyncs(false);
  for (std::thread& writer : writers) writer.join();
  for (const auto& result : results) EXPECT_EQ(result.status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(SegmentPackStoreTest, AFullDiskIsResourceExhaustedAndNothingAcknowledgedIsLost) {
  const PackRef kept = *Put(PackNumber(1));
  disk_.SetFreeBytes(500);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(Put(PackNumber(2)).status().code(), absl::StatusCode::kResourceExhausted);
  }
  EXPECT_EQ(disk_.FreeBytes("/d"), 500u);  // no tears left behind,
  EXPECT_EQ(disk_.files(), 1u);            // and no empty segments
  EXPECT_EQ(Get(kept).value_or("lost"), PackNumber(1));
  disk_.SetFreeBytes(1 << 20);
  EXPECT_TRUE(Put(PackNumber(3)).ok());
  EXPECT_EQ(Get(kept).value_or("lost"), PackNumber(1));
}

TEST_F(SegmentPackStoreTest, ANameThatCannotBeMadeDurableIsNotUsed) {
  disk_.FailNextDirectorySync();
  EXPECT_EQ(Put(PackNumber(1)).status().code(), absl::StatusCode::kUnavailable);
  const auto next = Put(PackNumber(2));
  ASSERT_TRUE(next.ok());
  disk_.CutPower();
  Start();
  EXPECT_EQ(Get(*next).value_or("lost"), PackNumber(2));
}

TEST_F(SegmentPackStoreTest, AFullSegmentIsFollowedByTheNext) {
  Start(5000);
  std::vector<PackRef> refs;
  for (int i = 0; i < 20; ++i) refs.push_back(*Put(PackNumber(i)));
  EXPECT_GE(disk_.files(), 4u);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Get(refs[i]).value_or("lost"), PackNumber(i));
}

TEST_F(SegmentPackStoreTest, StoredBytesAreCountedOverAStart) {
  ASSERT_TRUE(Put(PackNumber(1)).ok());
  const uint64_t before = store_->StoredBytes();
  EXPECT_GE(before, 1000u);
  Start();
  EXPECT_EQ(store_->StoredBytes(), before);
}

TEST_F(SegmentPackStoreTest, NoKeyLeavesTheDirectory) {
  for (const char* key : {"", "/etc/passwd", "../../etc/passwd", "0000000000000001", "000000000000000G.seg",
                          "000000000000000A.seg", "0x00000000000001.seg"}) {
    EXPECT_EQ(Get({.key = key, .offset = 0, .size = 1}).status().code(), absl::StatusCode::kNotFound) << key;
  }
  const PackRef ref = *Put(PackNumber(1));
  EXPECT_EQ(Get({ref.key, UINT64_MAX, 10}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Get({ref.key, ref.offset + 500, 1000}).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(SegmentPackStoreTest, FewDescriptorsServeManySegments) {
  store_ = *SegmentPackStore::Open("/d", {.segment_bytes = 1, .max_open_segments = 2, .file_system = &disk_});
  std::vector<PackRef> refs;
  for (int i = 0; i < 10; ++i) refs.push_back(*Put(PackNumber(i)));
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 10; ++i) EXPECT_EQ(Get(refs[i]).value_or("lost"), PackNumber(i));
  }
}

// What is in a segment, and what can be given back.
class SegmentContentsTest : public SegmentPackStoreTest {
 protected:
  // Packs first..last in one segment, which is closed by a new start.
  std::vector<PackRef> PutAndClose(int first, int last) {
    std::vector<PackRef> refs;
    for (int i = first; i <= last; ++i) refs.push_back(*Put(PackNumber(i)));
    Start();
    return refs;
  }
  std::vector<PackRef> Listed(const std::string& key) {
    std::vector<PackRef> refs;
    const auto contents = store_->Contents(key);
    EXPECT_TRUE(contents.ok()) << contents.status();
    if (!contents.ok()) return refs;
    for (const auto& pack : contents->packs) refs.push_back(pack.ref);
    damaged_ = contents->damaged;
    return refs;
  }
  uint64_t damaged_ = 0;
};

TEST_F(SegmentContentsTest, TheActiveSegmentIsNobodysBusiness) {
  const PackRef ref = *Put(PackNumber(1));
  EXPECT_TRUE(store_->ClosedKeys()->empty());
  EXPECT_EQ(store_->Contents(ref.key).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(store_->Release(ref).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(store_->Remove(ref.key).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Get(ref).value_or("lost"), PackNumber(1));
}

TEST_F(SegmentContentsTest, ASegmentWhoseWritersWaitIsStillInUse) {
  Start(500);  // a pack fills a segment
  disk_.HoldSyncs(true);
  std::thread first([&] { EXPECT_TRUE(Put(PackNumber(1)).ok()); });
  disk_.AwaitAppends(2);
  std::thread second([&] { EXPECT_TRUE(Put(PackNumber(2)).ok()); });
  disk_.AwaitAppends(4);
  EXPECT_TRUE(store_->ClosedKeys()->empty());
  disk_.HoldSyncs(false);
  first.join();
  second.join();
  EXPECT_EQ(store_->ClosedKeys()->size(), 1u);
}

TEST_F(SegmentContentsTest, ADamagedPackIsSkippedAndCounted) {
  const auto refs = PutAndClose(1, 5);
  disk_.Damage("/d/" + refs[2].key, refs[2].offset + 400);
  EXPECT_EQ(Listed(refs[0].key), (std::vector<PackRef>{refs[0], refs[1], refs[3], refs[4]}));
  EXPECT_EQ(damaged_, 1u);
}

TEST_F(SegmentContentsTest, ADamagedHeaderIsSkippedWhereverItIs) {
  for (int byte = 0; byte < 16; ++byte) {
    const auto refs = PutAndClose(1, 5);
    disk_.Damage("/d/" + refs[2].key, refs[2].offset - 16 + byte);
    EXPECT_EQ(Listed(refs[0].key), (std::vector<PackRef>{refs[0], refs[1], refs[3], refs[4]})) << byte;
    EXPECT_EQ(damaged_, 1u) << byte;
  }
}

TEST_F(SegmentContentsTest, AReleasedPackWhoseSizeIsSpoiltHidesNobody) {
  const auto refs = PutAndClose(1, 5);
  ASSERT_TRUE(store_->Release(refs[1]).ok());
  disk_.Damage("/d/" + refs[0].key, refs[1].offset - 16 + 5);  // it seems to end inside of another pack
  EXPECT_EQ(Listed(refs[0].key), (std::vector<PackRef>{refs[0], refs[2], refs[3], refs[4]}));
}

TEST_F(SegmentContentsTest, ADamagedMagicCostsNothingElse) {
  const auto refs = PutAndClose(1, 3);
  disk_.Damage("/d/" + refs[0].key, 3);
  EXPECT_EQ(Listed(refs[0].key), refs);
  EXPECT_EQ(damaged_, 1u);
}

TEST_F(SegmentContentsTest, ATornTailIsCountedAndWhatIsBeforeItIsThere) {
  const PackRef kept = *Put(PackNumber(1));
  disk_.LosePowerAfter(2);  // the append is the first change, the sync the second
  EXPECT_FALSE(Put(PackNumber(2)).ok());
  disk_.CutPower(700);
  Start();
  EXPECT_EQ(Listed(kept.key), std::vector<PackRef>{kept});
  EXPECT_EQ(damaged_, 1u);
}

TEST_F(SegmentContentsTest, WhatASyncFailedToKeepIsNotBelievedThoughTheCacheHasIt) {
  const PackRef kept = *Put(PackNumber(1));
  disk_.FailNextSync();
  EXPECT_FALSE(Put(PackNumber(2)).ok());
  Start();  // a restart of the process alone: the cache is as it was
  EXPECT_EQ(Listed(kept.key), std::vector<PackRef>{kept});
  EXPECT_EQ(damaged_, 0u);
}

TEST_F(SegmentContentsTest, BytesThatLookLikeARecordAreNoneInsideOfAPack) {
  const std::string inner = PackNumber(7, 200);
  std::string outer = PackNumber(1);
  const auto header = EncodeRecordHeader({BytesOf(inner)});
  outer.replace(300, header.size(), reinterpret_cast<const char*>(header.data()), header.size());
  outer.replace(300 + header.size(), inner.size(), inner);
  const std::vector<PackRef> refs = {*Put(outer), *Put(PackNumber(2))};
  Start();
  EXPECT_EQ(Listed(refs[0].key), refs);
  // Nor where the outer pack is damaged and its header still says where the next one starts.
  disk_.Damage("/d/" + refs[0].key, refs[0].offset + 10);
  EXPECT_EQ(Listed(refs[0].key), std::vector<PackRef>{refs[1]});
}

// Whatever a disk does to a segment, what is listed is what was put there.
TEST_F(SegmentContentsTest, NoDamageMakesAPackThatWasNeverPut) {
  std::mt19937_64 random(7);
  size_t listed = 0;
  for (int round = 0; round < 300; ++round) {
    const auto refs = PutAndClose(1, 6);
    const std::string path = "/d/" + refs[0].key;
    ASSERT_TRUE(store_->Release(refs[random() % 6]).ok());
    const uint64_t size = disk_.Find(path)->size;
    for (uint64_t hits = 1 + random() % 8; hits > 0; --hits) {
      // Headers are few bytes among many, and the most interesting ones.
      const uint64_t at = random() % 2 == 0 ? random() % size : refs[random() % 6].offset - 1 - random() % 16;
      disk_.Damage(path, at);
    }
    for (const PackRef& ref : Listed(refs[0].key)) {
      const auto it = std::find(refs.begin(), refs.end(), ref);
      ASSERT_NE(it, refs.end()) << "round " << round << ": " << ref.offset << ", " << ref.size;
      ASSERT_EQ(Get(ref).value_or("lost"), PackNumber(1 + static_cast<int>(it - refs.begin()))) << round;
      ++listed;
    }
    ASSERT_TRUE(store_->Remove(refs[0].key).ok());
  }
  EXPECT_GT(listed, 300u);
}

TEST_F(SegmentContentsTest, AReleasedPackGivesItsRoomBackAndKeepsTheOffsetsOfOthers) {
  const auto refs = PutAndClose(1, 5);
  const uint64_t free = disk_.FreeBytes("/d");
  const uint64_t stored = store_->StoredBytes();
  ASSERT_TRUE(store_->Release(refs[2]).ok());
  EXPECT_EQ(disk_.FreeBytes("/d"), free + refs[2].size);
  EXPECT_EQ(store_->StoredBytes(), stored - refs[2].size);
  EXPECT_EQ(Listed(refs[0].key), (std::vector<PackRef>{refs[0], refs[1], refs[3], refs[4]}));
  EXPECT_EQ(damaged_, 0u);
  EXPECT_EQ(Get(refs[2]).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Get(refs[3]).value_or("lost"), PackNumber(4));
  Start();
  EXPECT_EQ(store_->StoredBytes(), stored - refs[2].size);
}

// Every point at which the power may go, and every way in which it may leave the disk.
TEST_F(SegmentContentsTest, AReleaseSurvivesAPowerCutAtAnyPoint) {
  for (int point = 1; point <= 4; ++point) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
      const auto refs = PutAndClose(1, 5);
      disk_.LosePowerAfter(point);
      const bool released = store_->Release(refs[2]).ok();
      disk_.CutPowerAtRandom(seed);
      Start();
      auto listed = Listed(refs[0].key);
      EXPECT_EQ(damaged_, 0u) << point << " " << seed;
      if (listed.size() == 5) {
        EXPECT_FALSE(released) << point << " " << seed;
        EXPECT_EQ(Get(refs[2]).value_or("lost"), PackNumber(3));
      }
      ASSERT_TRUE(store_->Release(refs[2]).ok());
      EXPECT_EQ(Listed(refs[0].key), (std::vector<PackRef>{refs[0], refs[1], refs[3], refs[4]}));
      for (int i : {0, 1, 3, 4}) EXPECT_EQ(Get(refs[i]).value_or("lost"), PackNumber(i + 1));
      ASSERT_TRUE(store_->Remove(refs[0].key).ok());
    }
  }
}

TEST_F(SegmentContentsTest, AHoleThatAPowerCutUndidIsMadeAgain) {
  const auto refs = PutAndClose(1, 3);
  ASSERT_TRUE(store_->Release(refs[1]).ok());
  disk_.CutPower();  // the mark was synced, the hole was not
  Start();
  const uint64_t free = disk_.FreeBytes("/d");
  EXPECT_EQ(Listed(refs[0].key), (std::vector<PackRef>{refs[0], refs[2]}));
  EXPECT_EQ(disk_.FreeBytes("/d"), free + refs[1].size);
  EXPECT_EQ(Listed(refs[0].key), (std::vector<PackRef>{refs[0], refs[2]}));
  EXPECT_EQ(disk_.FreeBytes("/d"), free + refs[1].size) << "once";
}

TEST_F(SegmentContentsTest, WhereNoHoleCanBeMadeThePackIsReleasedAllTheSame) {
  disk_.SetPunching(false);
  const auto refs = PutAndClose(1, 3);
  ASSERT_TRUE(store_->Release(refs[1]).ok());
  EXPECT_EQ(Listed(refs[0].key), (std::vector<PackRef>{refs[0], refs[2]}));
  EXPECT_EQ(Get(refs[1]).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(SegmentContentsTest, ARemovedSegmentMayComeBackWholeAfterAPowerCut) {
  const auto refs = PutAndClose(1, 3);
  disk_.LosePowerAfter(2);  // the removal is the first change, the directory's sync the second
  EXPECT_FALSE(store_->Remove(refs[0].key).ok());
  disk_.CutPower();
  Start();
  EXPECT_EQ(Listed(refs[0].key), refs);
  ASSERT_TRUE(store_->Remove(refs[0].key).ok());
  disk_.CutPower();
  Start();
  EXPECT_EQ(store_->Contents(refs[0].key).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(SegmentContentsTest, APackThatNoReaderWouldBelieveIsNotTaken) {
  const std::string huge((64 << 20) + 1, 'x');
  EXPECT_EQ(Put(huge).status().code(), absl::StatusCode::kInvalidArgument);
}

// The real disk, with what a kill in the middle of a write leaves.
TEST(SegmentPackStoreOnDiskTest, StartsBesideATornTail) {
  std::string dir = absl::StrCat(testing::TempDir(), "/segments.XXXXXX");
  ASSERT_NE(mkdtemp(&dir[0]), nullptr);
  const std::string pack = PackNumber(1, 300000);
  PackRef ref;
  {
    const auto store = *SegmentPackStore::Open(dir);
    ref = *store->Put(BytesOf(pack));
  }
  ASSERT_EQ(truncate(absl::StrCat(dir, "/", ref.key).c_str(), static_cast<off_t>(ref.offset + ref.size - 1)),
            0);
  const auto store = *SegmentPackStore::Open(dir);
  const PackRef next = *store->Put(BytesOf(pack));
  std::string out(pack.size(), '\0');
  const auto span = absl::MakeSpan(reinterpret_cast<uint8_t*>(&out[0]), out.size());
  EXPECT_TRUE(store->Read(next, 0, span).ok());
  EXPECT_EQ(out, pack);
  EXPECT_EQ(store->Read(ref, 0, span).code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(store->Read(ref, 0, span.subspan(1)).ok());
  EXPECT_GT(store->FreeBytes(), 0u);
}

TEST(SegmentPackStoreOnDiskTest, AReleasedPackLeavesAHole) {
  std::string dir = absl::StrCat(testing::TempDir(), "/segments.XXXXXX");
  ASSERT_NE(mkdtemp(&dir[0]), nullptr);
  std::vector<PackRef> refs;
  {
    const auto store = *SegmentPackStore::Open(dir);
    for (int i = 0; i < 3; ++i) refs.push_back(*store->Put(BytesOf(PackNumber(i, 300000))));
  }
  const auto store = *SegmentPackStore::Open(dir);
  const auto before = *FileSystem::Real()->Find(absl::StrCat(dir, "/", refs[0].key));
  ASSERT_TRUE(store->Release(refs[1]).ok());
  const auto after = *FileSystem::Real()->Find(absl::StrCat(dir, "/", refs[0].key));
  EXPECT_EQ(after.size, before.size);
  EXPECT_LE(after.occupied, before.occupied);  // equal where the file system cannot
  const auto contents = store->Contents(refs[0].key);
  ASSERT_TRUE(contents.ok()) << contents.status();
  ASSERT_EQ(contents->packs.size(), 2u);
  EXPECT_EQ(contents->packs[1].ref, refs[2]);
  EXPECT_EQ(contents->damaged, 0u);
  std::string out(300000, '\0');
  const auto span = absl::MakeSpan(reinterpret_cast<uint8_t*>(&out[0]), out.size());
  EXPECT_TRUE(store->Read(refs[2], 0, span).ok());
  EXPECT_EQ(out, PackNumber(2, 300000));
  ASSERT_TRUE(store->Remove(refs[0].key).ok());
  EXPECT_EQ(FileSystem::Real()->Find(absl::StrCat(dir, "/", refs[0].key)).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(SegmentPackStoreOnDiskTest, NoDirectoryIsAnError) {
  EXPECT_EQ(SegmentPackStore::Open(absl::StrCat(testing::TempDir(), "/nowhere")).status().code(),
            absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace corefleet

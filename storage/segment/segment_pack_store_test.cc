#include "storage/segment/segment_pack_store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/segment/faulty_file_system.h"

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

TEST(SegmentPackStoreOnDiskTest, NoDirectoryIsAnError) {
  EXPECT_EQ(SegmentPackStore::Open(absl::StrCat(testing::TempDir(), "/nowhere")).status().code(),
            absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace corefleet

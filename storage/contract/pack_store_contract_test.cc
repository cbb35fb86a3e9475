// What every PackStore keeps, whatever it is made of.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "storage/memory/memory_pack_store.h"
#include "storage/pack.h"
#include "storage/pack_store.h"
#include "storage/segment/segment_pack_store.h"

namespace corefleet {
namespace {

using StoreFactory = std::function<std::unique_ptr<PackStore>()>;

std::unique_ptr<PackStore> MakeSegmentStore() {
  std::string dir = absl::StrCat(testing::TempDir(), "/segments.XXXXXX");
  EXPECT_NE(mkdtemp(&dir[0]), nullptr);
  return *SegmentPackStore::Open(dir, {.segment_bytes = 1 << 20, .max_open_segments = 2});
}

// A pack with one chunk of one session, as ingest makes them.
std::string PackOf(const std::string& session, const std::string& chunk) {
  PackBuilder builder;
  builder.Add({.raw_size = static_cast<uint32_t>(chunk.size())}, BytesOf(chunk));
  return builder.Build(session).bytes;
}

class PackStoreTest : public testing::TestWithParam<StoreFactory> {
 protected:
  absl::StatusOr<std::string> Get(const PackRef& ref, uint64_t offset, size_t size) {
    std::string out(size, '\0');
    absl::Status status =
        store_->Read(ref, offset, absl::MakeSpan(reinterpret_cast<uint8_t*>(&out[0]), size));
    if (!status.ok()) return status;
    return out;
  }

  // Puts packs until the key of the first one is closed, and gives their references.
  std::vector<PackRef> FillAKey(int least) {
    std::vector<PackRef> refs;
    while (static_cast<int>(refs.size()) < least || !IsClosed(refs.front().key)) {
      const auto ref = store_->Put(BytesOf(PackOf(SessionOf(refs.size()), std::string(50000, 'x'))));
      EXPECT_TRUE(ref.ok()) << ref.status();
      refs.push_back(*ref);
    }
    return refs;
  }
  static std::string SessionOf(size_t i) { return absl::StrCat("session ", i); }
  bool IsClosed(const std::string& key) {
    const auto keys = store_->ClosedKeys();
    EXPECT_TRUE(keys.ok()) << keys.status();
    return std::find(keys->begin(), keys->end(), key) != keys->end();
  }

  std::unique_ptr<PackStore> store_ = GetParam()();
};

TEST_P(PackStoreTest, APackInPiecesIsOnePack) {
  // More of them than one writev takes, and some with nothing in them.
  std::vector<std::string> strings;
  std::string whole;
  for (size_t i = 0; i < 2500; ++i) {
    strings.push_back(std::string(i % 7, static_cast<char>(i)));
    whole += strings.back();
  }
  std::vector<ByteView> pieces;
  for (const std::string& piece : strings) pieces.push_back(BytesOf(piece));
  const auto ref = store_->PutPieces(pieces);
  ASSERT_TRUE(ref.ok()) << ref.status();
  ASSERT_EQ(ref->size, whole.size());
  EXPECT_EQ(Get(*ref, 0, whole.size()).value_or("lost"), whole);
  const auto next = store_->Put(BytesOf("next"));
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(Get(*next, 0, 4).value_or("lost"), "next");
}

TEST_P(PackStoreTest, WhatIsWrittenIsAPackOnceItIsSynced) {
  auto first = store_->Write({BytesOf("fi"), BytesOf("rst")});
  ASSERT_TRUE(first.ok()) << first.status();
  auto second = store_->Write({BytesOf("second")});
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_FALSE((*first)->ref() == (*second)->ref());
  EXPECT_TRUE((*second)->Sync().ok());
  EXPECT_TRUE((*first)->Sync().ok());
  EXPECT_TRUE((*first)->Sync().ok()) << "and again";
  EXPECT_EQ(Get((*first)->ref(), 0, 5).value_or("?"), "first");
  EXPECT_EQ(Get((*second)->ref(), 0, 6).value_or("?"), "second");
}

TEST_P(PackStoreTest, APackComesBackWholeAndInPieces) {
  const auto ref = store_->Put(BytesOf("a pack of chunks"));
  ASSERT_TRUE(ref.ok()) << ref.status();
  EXPECT_EQ(ref->size, 16u);
  EXPECT_EQ(Get(*ref, 0, 16).value_or("?"), "a pack of chunks");
  EXPECT_EQ(Get(*ref, 2, 4).value_or("?"), "pack");
  EXPECT_EQ(Get(*ref, 16, 0).value_or("?"), "");
}

TEST_P(PackStoreTest, TheSameBytesTwiceAreTwoPacks) {
  const PackRef a = *store_->Put(BytesOf("same"));
  const PackRef b = *store_->Put(BytesOf("same"));
  EXPECT_FALSE(a == b);
  EXPECT_EQ(Get(a, 0, 4).value_or("?"), "same");
  EXPECT_EQ(Get(b, 0, 4).value_or("?"), "same");
}

TEST_P(PackStoreTest, NoReadLeavesThePack) {
  const PackRef first = *store_->Put(BytesOf("first"));
  ASSERT_TRUE(store_->Put(BytesOf("second")).ok());
  EXPECT_EQ(Get(first, 1, 5).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(Get(first, 6, 0).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(Get(first, UINT64_MAX, 1).status().code(), absl::StatusCode::kOutOfRange);
}

TEST_P(PackStoreTest, NoPackIsNotFound) {
  PackRef ref = *store_->Put(BytesOf("first"));
  ref.key += "x";
  EXPECT_EQ(Get(ref, 0, 1).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Get({}, 0, 0).status().code(), absl::StatusCode::kNotFound);
}

TEST_P(PackStoreTest, APackThatShouldBeLongerIsDataLoss) {
  PackRef ref = *store_->Put(BytesOf("first"));
  ref.size = 1 << 20;
  EXPECT_EQ(Get(ref, 0, 1 << 20).status().code(), absl::StatusCode::kDataLoss);
}

TEST_P(PackStoreTest, ManyWritersAndReadersAtOnce) {
  const uint64_t before = store_->StoredBytes();
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([this, t] {
      std::map<int, PackRef> refs;
      for (int i = 0; i < 20; ++i) {
        const std::string pack(30000 + t * 100 + i, static_cast<char>('a' + t));
        const auto ref = store_->Put(BytesOf(pack));
        ASSERT_TRUE(ref.ok()) << ref.status();
        refs[i] = *ref;
        const int earlier = i / 2;
        EXPECT_EQ(Get(refs[earlier], 0, refs[earlier].size).value_or("?"),
                  std::string(30000 + t * 100 + earlier, static_cast<char>('a' + t)));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(store_->StoredBytes() - before, 8u * 20 * 30000);
  EXPECT_GT(store_->FreeBytes(), 0u);
}

TEST_P(PackStoreTest, WhatLiesUnderClosedKeysIsWhatWasPut) {
  const std::vector<PackRef> refs = FillAKey(5);
  const auto keys = store_->ClosedKeys();
  ASSERT_TRUE(keys.ok()) << keys.status();
  size_t found = 0;
  for (const std::string& key : *keys) {
    const auto contents = store_->Contents(key);
    ASSERT_TRUE(contents.ok()) << contents.status();
    EXPECT_EQ(contents->damaged, 0u);
    EXPECT_GT(contents->changed_at, absl::UnixEpoch());
    for (const PackStore::KeptPack& pack : contents->packs) {
      const auto it = std::find(refs.begin(), refs.end(), pack.ref);
      ASSERT_NE(it, refs.end());
      EXPECT_EQ(pack.session, SessionOf(it - refs.begin()));
      ++found;
    }
  }
  EXPECT_GE(found, 1u);
  EXPECT_EQ(found,
            std::count_if(refs.begin(), refs.end(), [&](const PackRef& ref) { return IsClosed(ref.key); }));
}

TEST_P(PackStoreTest, AReleasedPackIsGoneAndItsNeighboursAreNot) {
  const std::vector<PackRef> refs = FillAKey(3);
  const PackRef& gone = refs[0];
  const uint64_t before = store_->StoredBytes();
  ASSERT_TRUE(store_->Release(gone).ok());
  EXPECT_TRUE(store_->Release(gone).ok()) << "again";
  const absl::StatusCode code = Get(gone, 0, gone.size).status().code();
  EXPECT_TRUE(code == absl::StatusCode::kNotFound || code == absl::StatusCode::kDataLoss) << code;
  for (size_t i = 1; i < refs.size(); ++i) {
    EXPECT_EQ(Get(refs[i], 0, refs[i].size).value_or("lost"), PackOf(SessionOf(i), std::string(50000, 'x')));
  }
  const auto contents = store_->Contents(gone.key);
  if (contents.ok()) {
    EXPECT_EQ(contents->damaged, 0u);
    for (const PackStore::KeptPack& pack : contents->packs) EXPECT_FALSE(pack.ref == gone);
  }
  EXPECT_LE(store_->StoredBytes() + gone.size, before);
}

TEST_P(PackStoreTest, NothingIsReleasedWhereNoPackIs) {
  PackRef ref = FillAKey(1)[0];
  ref.offset += 1;
  EXPECT_EQ(store_->Release(ref).code(), absl::StatusCode::kFailedPrecondition);
  ref.offset -= 1;
  ref.size -= 1;
  EXPECT_EQ(store_->Release(ref).code(), absl::StatusCode::kFailedPrecondition);
  ref.size += 1;
  EXPECT_TRUE(Get(ref, 0, ref.size).ok());
}

TEST_P(PackStoreTest, ARemovedKeyIsGone) {
  const std::vector<PackRef> refs = FillAKey(1);
  const uint64_t before = store_->StoredBytes();
  ASSERT_TRUE(Get(refs[0], 0, 1).ok()) << "and open";
  ASSERT_TRUE(store_->Remove(refs[0].key).ok());
  EXPECT_TRUE(store_->Remove(refs[0].key).ok()) << "again";
  EXPECT_FALSE(IsClosed(refs[0].key));
  EXPECT_EQ(Get(refs[0], 0, 1).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->Contents(refs[0].key).status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(store_->Release(refs[0]).ok()) << "it is gone";
  EXPECT_LT(store_->StoredBytes(), before);
  EXPECT_TRUE(store_->Put(BytesOf("more")).ok());
}

INSTANTIATE_TEST_SUITE_P(Engines, PackStoreTest,
                         testing::Values([] { return std::make_unique<MemoryPackStore>(); },
                                         MakeSegmentStore),
                         [](const auto& info) { return info.index == 0 ? "Memory" : "Segment"; });

}  // namespace
}  // namespace corefleet

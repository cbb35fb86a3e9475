// What every PackStore keeps, whatever it is made of.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "storage/memory/memory_pack_store.h"
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

class PackStoreTest : public testing::TestWithParam<StoreFactory> {
 protected:
  absl::StatusOr<std::string> Get(const PackRef& ref, uint64_t offset, size_t size) {
    std::string out(size, '\0');
    absl::Status status =
        store_->Read(ref, offset, absl::MakeSpan(reinterpret_cast<uint8_t*>(&out[0]), size));
    if (!status.ok()) return status;
    return out;
  }

  std::unique_ptr<PackStore> store_ = GetParam()();
};

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

INSTANTIATE_TEST_SUITE_P(Engines, PackStoreTest,
                         testing::Values([] { return std::make_unique<MemoryPackStore>(); },
                                         MakeSegmentStore),
                         [](const auto& info) { return info.index == 0 ? "Memory" : "Segment"; });

}  // namespace
}  // namespace corefleet

#include "storage/stored_regions.h"

#include <gtest/gtest.h>

#include <numeric>

#include "storage/memory/memory_pack_store.h"

namespace corefleet {
namespace {

std::vector<uint8_t> Pattern(size_t size, int seed) {
  std::vector<uint8_t> bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<uint8_t>(i * 31 + i / 997 + seed);
  return bytes;
}

class StoredRegionsTest : public testing::Test {
 protected:
  void AddRegion(size_t size) {
    content_.push_back(Pattern(size, static_cast<int>(content_.size())));
    manifest_.regions.push_back({.file_name = "md_K.BIN", .name = "K", .id = 24, .size = size});
  }

  // Puts chunks {region, chunk} into one pack.
  void AddPack(std::vector<std::pair<uint32_t, uint64_t>> chunks) {
    PackBuilder builder;
    for (const auto& [region, chunk] : chunks) {
      const uint32_t size = ChunkSize(content_[region].size(), chunk);
      const ByteView raw = ByteView(content_[region]).subspan(chunk * kChunkBytes, size);
      const EncodedChunk encoded = EncodeChunk(raw);
      builder.Add({.region = region,
                   .chunk = chunk,
                   .encoding = encoded.encoding,
                   .raw_size = size,
                   .digest = Sha256Of(raw)},
                  BytesOf(encoded.bytes));
    }
    Pack pack = builder.Build("session");
    packs_.push_back({*store_.Put(BytesOf(pack.bytes)), pack.entries});
  }

  absl::StatusOr<StoredRegions> OpenAll(uint64_t cache_bytes = kChunkCacheBytes) {
    return OpenStoredRegions({.manifest = manifest_, .packs = packs_, .here_bytes = here_bytes_}, &store_,
                             cache_bytes);
  }
  absl::StatusOr<RegionSet> Open(uint64_t cache_bytes = kChunkCacheBytes) {
    auto opened = OpenAll(cache_bytes);
    if (!opened.ok()) return opened.status();
    return opened->set;
  }
  std::vector<uint8_t> Shown(const Region& region) {
    return ReadBytes(*region.bytes, 0, region.bytes->size()).value();
  }

  MemoryPackStore store_;
  Manifest manifest_;
  std::vector<std::vector<uint8_t>> content_;
  std::vector<StoredPack> packs_;
  uint64_t here_bytes_ = 0;
};

TEST_F(StoredRegionsTest, WhatFitsIntoTheCacheIsFetchedOnce) {
  constexpr uint32_t kRegions = 200;
  std::vector<std::pair<uint32_t, uint64_t>> chunks;
  for (uint32_t i = 0; i < kRegions; ++i) {
    AddRegion(8);
    chunks.push_back({i, 0});
  }
  AddPack(chunks);
  const RegionSet set = *Open(1 << 20);
  for (const Region& region : set.regions) Shown(region);
  store_.SetReadStatus(absl::UnavailableError("away"));
  for (uint32_t i = 0; i < kRegions; ++i) EXPECT_EQ(Shown(set.regions[i]), content_[i]) << i;
}

TEST_F(StoredRegionsTest, TheCacheKeepsWhatWasReadLastAndNoMoreBytesThanItMay) {
  for (int i = 0; i < 3; ++i) AddRegion(kChunkBytes);
  AddPack({{0, 0}, {1, 0}, {2, 0}});
  const RegionSet set = *Open(2 * kChunkBytes + 4096);
  for (const size_t i : {0, 1, 0, 2}) Shown(set.regions[i]);
  store_.SetReadStatus(absl::UnavailableError("away"));
  EXPECT_EQ(Shown(set.regions[0]), content_[0]);
  EXPECT_EQ(Shown(set.regions[2]), content_[2]);
  uint8_t byte;
  EXPECT_TRUE(absl::IsUnavailable(set.regions[1].bytes->ReadAt(0, absl::MakeSpan(&byte, 1))));
}

TEST_F(StoredRegionsTest, ReadsAcrossChunksAndPacks) {
  AddRegion(3 * kChunkBytes + 5);
  AddRegion(100);
  AddRegion(0);
  AddPack({{0, 2}, {1, 0}});
  AddPack({{0, 3}, {0, 0}, {0, 1}});
  const auto set = Open();
  ASSERT_TRUE(set.ok()) << set.status();
  ASSERT_EQ(set->regions.size(), 3u);
  EXPECT_EQ(set->regions[0].file_name, "md_K.BIN");
  EXPECT_EQ(set->regions[0].id, 24u);
  for (size_t i = 0; i < 3; ++i) {
    const auto bytes = ReadBytes(*set->regions[i].bytes, 0, content_[i].size());
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    EXPECT_EQ(*bytes, content_[i]);
  }
  const auto middle = ReadBytes(*set->regions[0].bytes, kChunkBytes - 3, kChunkBytes + 6);
  ASSERT_TRUE(middle.ok());
  EXPECT_EQ((*middle)[3], content_[0][kChunkBytes]);
}

TEST_F(StoredRegionsTest, ReadsOutsideAreOutOfRange) {
  AddRegion(100);
  AddPack({{0, 0}});
  const auto set = Open();
  ASSERT_TRUE(set.ok());
  EXPECT_EQ(ReadBytes(*set->regions[0].bytes, 99, 2).status().code(), absl::StatusCode::kOutOfRange);
  uint8_t byte = 0;
  EXPECT_EQ(set->regions[0].bytes->ReadAt(~uint64_t{0}, absl::MakeSpan(&byte, 1)).code(),
            absl::StatusCode::kOutOfRange);
}

TEST_F(StoredRegionsTest, APackThatWasLostIsDataLoss) {
  AddRegion(2 * kChunkBytes);
  here_bytes_ = 2 * kChunkBytes;
  AddPack({{0, 0}});
  EXPECT_EQ(Open().status().code(), absl::StatusCode::kDataLoss);
  AddPack({{0, 0}});  // the same once more is no second chunk
  EXPECT_EQ(Open().status().code(), absl::StatusCode::kDataLoss);
  AddPack({{0, 1}});
  ASSERT_TRUE(OpenAll().ok());
  EXPECT_TRUE(OpenAll()->unsent.empty());
}

TEST_F(StoredRegionsTest, ARegionEndsBeforeItsFirstGap) {
  AddRegion(4 * kChunkBytes + 7);
  AddRegion(3 * kChunkBytes);
  AddRegion(5);
  AddRegion(0);
  AddRegion(2 * kChunkBytes);
  here_bytes_ = 5 * kChunkBytes + 7;
  AddPack({{0, 0}, {0, 1}, {0, 3}, {0, 4}});
  AddPack({{4, 1}, {1, 0}});
  const auto opened = OpenAll();
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(
      opened->unsent,
      (std::vector<UnsentRegion>{
          {.region = 0, .size = 4 * kChunkBytes + 7, .shown = 2 * kChunkBytes, .behind_gap = kChunkBytes + 7},
          {.region = 1, .size = 3 * kChunkBytes, .shown = kChunkBytes},
          {.region = 2, .size = 5},
          {.region = 4, .size = 2 * kChunkBytes, .behind_gap = kChunkBytes},
      }));
  const std::vector<Region>& regions = opened->set.regions;
  ASSERT_EQ(regions.size(), 5u) << "at the manifest's indexes";
  content_[0].resize(2 * kChunkBytes);
  content_[1].resize(kChunkBytes);
  EXPECT_EQ(Shown(regions[0]), content_[0]);
  EXPECT_EQ(Shown(regions[1]), content_[1]);
  EXPECT_EQ(regions[2].bytes, nullptr);
  ASSERT_NE(regions[3].bytes, nullptr) << "empty is not missing";
  EXPECT_EQ(regions[3].bytes->size(), 0u);
  EXPECT_EQ(regions[4].bytes, nullptr) << "nothing can be shown without its start";
  uint8_t byte = 0;
  EXPECT_EQ(regions[0].bytes->ReadAt(2 * kChunkBytes, absl::MakeSpan(&byte, 1)).code(),
            absl::StatusCode::kOutOfRange)
      << "no zeros are made up";
}

TEST_F(StoredRegionsTest, AHugeManifestAllocatesNothing) {
  AddRegion(kChunkBytes);
  AddPack({{0, 0}});
  manifest_.regions[0].size = kMaxRegionBytes;
  const auto opened = OpenAll();
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(opened->set.regions[0].bytes->size(), kChunkBytes);
  EXPECT_EQ(opened->unsent.at(0).size, kMaxRegionBytes);
}

TEST_F(StoredRegionsTest, ChunksOfNoRegionAndOfAWrongSizeAreDataLoss) {
  AddRegion(10);
  AddPack({{0, 0}});
  packs_[0].entries[0].region = 1;
  EXPECT_EQ(Open().status().code(), absl::StatusCode::kDataLoss);
  packs_[0].entries[0].region = 0;
  packs_[0].entries[0].raw_size = 9;
  EXPECT_EQ(Open().status().code(), absl::StatusCode::kDataLoss);
  packs_[0].entries[0].raw_size = 10;
  EXPECT_TRUE(Open().ok());
  packs_[0].entries[0].chunk = 1;
  EXPECT_EQ(Open().status().code(), absl::StatusCode::kDataLoss);
  packs_[0].entries[0].chunk = UINT64_MAX;
  EXPECT_EQ(Open().status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(StoredRegionsTest, DamageInTheStoreIsDataLossOfThatChunkAlone) {
  AddRegion(2 * kChunkBytes);
  AddPack({{0, 0}, {0, 1}});
  store_.Damage(packs_[0].ref, packs_[0].entries[1].offset + 20);
  const auto set = Open();
  ASSERT_TRUE(set.ok());
  EXPECT_TRUE(ReadBytes(*set->regions[0].bytes, 0, kChunkBytes).ok());
  EXPECT_EQ(ReadBytes(*set->regions[0].bytes, kChunkBytes, 1).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(StoredRegionsTest, AStoreThatIsDownIsUnavailableAndAMissingPackIsLost) {
  AddRegion(10);
  AddPack({{0, 0}});
  store_.SetReadStatus(absl::UnavailableError("down"));
  auto set = Open();
  ASSERT_TRUE(set.ok());
  EXPECT_EQ(ReadBytes(*set->regions[0].bytes, 0, 1).status().code(), absl::StatusCode::kUnavailable);
  store_.SetReadStatus(absl::OkStatus());
  EXPECT_TRUE(ReadBytes(*set->regions[0].bytes, 0, 1).ok());
  packs_[0].ref.key = "elsewhere";
  set = Open();
  ASSERT_TRUE(set.ok());
  EXPECT_EQ(ReadBytes(*set->regions[0].bytes, 0, 1).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace corefleet

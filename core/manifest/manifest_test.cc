#include "core/manifest/manifest.h"

#include <algorithm>

#include "gtest/gtest.h"

namespace corefleet {
namespace {

Region MakeRegion(std::string file_name, std::vector<uint8_t> bytes) {
  Region region;
  region.file_name = std::move(file_name);
  region.bytes = std::make_shared<MemorySource>(std::move(bytes));
  return region;
}

Manifest Sample() {
  RegionSet set;
  set.regions.push_back(MakeRegion("md_KELF1.BIN", std::vector<uint8_t>(70000, 1)));
  set.regions.push_back(MakeRegion("md_Kprb22.BIN", {1, 2, 3}));
  set.regions.push_back(MakeRegion("md_Kempty.BIN", {}));
  set.regions[1].id = 22;
  set.regions[1].paddr = UINT64_MAX;
  set.regions[1].table_size = 4;
  return *MakeManifest(set);
}

TEST(ManifestTest, StoredFormReadsBack) {
  const Manifest manifest = Sample();
  EXPECT_EQ(*DecodeManifest(BytesOf(Encode(manifest))), manifest);
}

TEST(ManifestTest, EveryCutAndEveryExtraByteIsDataLoss) {
  const std::string encoded = Encode(Sample());
  for (size_t size = 0; size < encoded.size(); ++size) {
    EXPECT_EQ(DecodeManifest(BytesOf(absl::string_view(encoded).substr(0, size))).status().code(),
              absl::StatusCode::kDataLoss)
        << size;
  }
  EXPECT_FALSE(DecodeManifest(BytesOf(encoded + "x")).ok());
}

TEST(ManifestTest, OrderDoesNotMakeAnotherCrash) {
  Manifest manifest = Sample();
  const CrashUid uid = UidOf(manifest);
  std::reverse(manifest.regions.begin(), manifest.regions.end());
  EXPECT_EQ(UidOf(manifest), uid);
}

TEST(ManifestTest, OneByteMakesAnotherCrash) {
  Manifest manifest = Sample();
  const CrashUid uid = UidOf(manifest);
  manifest.regions[0].root[31] ^= 1;
  EXPECT_NE(UidOf(manifest), uid);
}

TEST(ManifestTest, LimitsAreNamed) {
  EXPECT_FALSE(Validate(Manifest{}).ok());
  Manifest manifest = Sample();
  EXPECT_TRUE(Validate(manifest).ok());
  manifest.regions[0].file_name = std::string(256, 'x');
  EXPECT_EQ(Validate(manifest).code(), absl::StatusCode::kInvalidArgument);
  manifest = Sample();
  manifest.regions[0].size = UINT64_MAX;
  EXPECT_EQ(Validate(manifest).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace corefleet

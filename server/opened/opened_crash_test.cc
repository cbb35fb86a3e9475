#include "server/opened/opened_crash.h"

#include <gtest/gtest.h>

namespace corefleet {
namespace {

// A source whose store can go away and come back.
class FragileSource final : public ByteSource {
 public:
  uint64_t size() const override { return 16; }
  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override {
    if (absl::Status status = CheckRange(offset, out.size(), size()); !status.ok()) return status;
    return answer;
  }
  absl::Status answer;
};

TEST(LatchedTest, KeepsTheFirstFailureOfTheStore) {
  auto source = std::make_shared<FragileSource>();
  auto latch = std::make_shared<ReadLatch>();
  RegionSet set;
  set.regions.push_back({.file_name = "a", .bytes = source});
  const RegionSet latched = Latched(set, latch);
  uint8_t byte;
  EXPECT_TRUE(latched.regions[0].bytes->ReadAt(0, absl::MakeSpan(&byte, 1)).ok());
  EXPECT_TRUE(absl::IsOutOfRange(latched.regions[0].bytes->ReadAt(16, absl::MakeSpan(&byte, 1))));
  EXPECT_TRUE(latch->status().ok()) << "a question behind the end is no failure of the store";
  source->answer = absl::UnavailableError("away");
  EXPECT_TRUE(absl::IsUnavailable(latched.regions[0].bytes->ReadAt(0, absl::MakeSpan(&byte, 1))));
  source->answer = absl::DataLossError("torn");
  EXPECT_TRUE(absl::IsDataLoss(latched.regions[0].bytes->ReadAt(0, absl::MakeSpan(&byte, 1))));
  EXPECT_TRUE(absl::IsUnavailable(latch->status()));
}

TEST(OpenedCrashTest, LogOfACrashWhoseStoreWentAwayIsAnError) {
  auto source = std::make_shared<FragileSource>();
  auto latch = std::make_shared<ReadLatch>();
  const OpenedCrash crash(Manifest(), StoredRegions(), 0, nullptr, latch);
  latch->Note(absl::UnavailableError("away"));
  EXPECT_TRUE(absl::IsUnavailable(crash.Log().status()));
}

}  // namespace
}  // namespace corefleet

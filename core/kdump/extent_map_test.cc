#include "core/kdump/extent_map.h"

#include <random>

#include "gtest/gtest.h"

namespace corefleet {
namespace {

TEST(ExtentMap, LaterOneAnswers) {
  const ExtentMap map({{100, 50, 0}, {0, 120, 1000}, {110, 5, 5000}});
  EXPECT_EQ(map.Find(0)->at, 1000u);
  EXPECT_EQ(map.Find(109)->start, 0u);
  EXPECT_EQ(map.Find(112)->at, 5000u);
  EXPECT_EQ(map.Find(115)->at, 1115u);
  EXPECT_EQ(map.Find(120)->at, 20u);
  EXPECT_EQ(map.Find(150), nullptr);
  EXPECT_EQ(map.RunFrom(0, UINT64_MAX), 150u);
  EXPECT_EQ(map.RunFrom(149, 10), 1u);
  EXPECT_EQ(map.RunFrom(150, 10), 0u);
}

TEST(ExtentMap, WhatGoesOnIsJoined) {
  EXPECT_EQ(ExtentMap({{4, 4, 104}, {0, 4, 100}, {8, 8, 108}}).extents().size(), 1u);
}

TEST(ExtentMap, HostileOnesAreLeftOut) {
  EXPECT_TRUE(ExtentMap({{UINT64_MAX, 2, 0}, {0, 0, 0}, {0, 2, UINT64_MAX}}).extents().empty());
}

// Byte by byte against the plainest way to say it.
TEST(ExtentMap, AgreesWithPaintingBytes) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    std::vector<ExtentMap::Extent> given(random() % 12);
    std::vector<int64_t> painted(64, -1);
    for (auto& extent : given) {
      extent = {random() % 48, random() % 16, random() % 1000};
      for (uint64_t i = 0; i < extent.size; ++i)
        painted[extent.start + i] = static_cast<int64_t>(extent.at + i);
    }
    const ExtentMap map(given);
    for (uint64_t address = 0; address < painted.size(); ++address) {
      const ExtentMap::Extent* found = map.Find(address);
      const int64_t at = found == nullptr ? -1 : static_cast<int64_t>(found->at + (address - found->start));
      ASSERT_EQ(at, painted[address]) << round << " " << address;
    }
  }
}

}  // namespace
}  // namespace corefleet

#include "tests/bench/load/crash_plan.h"

#include <gtest/gtest.h>

#include <set>

#include "core/digest/chunk.h"
#include "core/digest/digest.h"

namespace corefleet {
namespace {

CrashMaker Maker(const std::string& plan) { return CrashMaker(*ParsePlan(plan), ReadCorpus()); }

uint64_t BytesIn(const RegionFiles& files) {
  uint64_t bytes = 0;
  for (const auto& file : files) bytes += file.second.size();
  return bytes;
}

TEST(CrashPlan, FixedCrashesHave57RegionsAndJustTheirSize) {
  for (const char* const size : {"256K", "2M", "16M"}) {
    const CrashPlan plan = *ParsePlan(size);
    for (uint64_t number = 0; number < 3; ++number) {
      const auto body = CrashMaker(plan, ReadCorpus()).Make(number);
      EXPECT_EQ(body->raw_bytes(), plan.bytes);
      EXPECT_EQ(body->announcement().regions_size(), 57);
    }
  }
}

TEST(CrashPlan, LogNormalSizesDifferAroundTheirMedian) {
  const CrashMaker maker = Maker("lognormal:512K");
  int below = 0;
  std::set<uint64_t> sizes;
  for (uint64_t number = 0; number < 40; ++number) {
    const uint64_t bytes = BytesIn(maker.Regions(number));
    sizes.insert(bytes);
    below += bytes < (512 << 10);
  }
  EXPECT_GT(sizes.size(), 20u);
  EXPECT_GT(below, 10);
  EXPECT_LT(below, 30);
}

TEST(CrashPlan, NoTwoCrashesShareALargeChunk) {
  const CrashMaker maker = Maker("2M");
  const RegionFiles one = maker.Regions(1);
  const RegionFiles other = maker.Regions(2);
  for (size_t i = 0; i < one.size(); ++i) {
    if (one[i].second.size() < kChunkBytes) continue;
    for (size_t at = 0; at + kChunkBytes <= one[i].second.size(); at += kChunkBytes) {
      EXPECT_NE(one[i].second.substr(at, kChunkBytes), other[i].second.substr(at, kChunkBytes));
    }
  }
}

TEST(CrashPlan, GeneratedMemoryIsNeitherZerosNorNoise) {
  const CrashMaker maker = Maker("2M");
  for (uint64_t number = 0; number < 10; ++number) {
    const auto body = maker.Make(number);
    const double ratio = static_cast<double>(body->raw_bytes()) / static_cast<double>(body->wire().size());
    EXPECT_GT(ratio, 2);
    EXPECT_LT(ratio, 5);
  }
}

TEST(CrashPlan, AMessageOfFieldsIsAPutChunksRequestWhoseChunksAreRight) {
  const auto body = Maker("256K").Make(5);
  const RegionFiles files = Maker("256K").Regions(5);
  v1::PutChunksRequest message;
  ASSERT_TRUE(message.ParseFromString(std::string(body->wire())));
  ASSERT_EQ(message.chunks_size(), static_cast<int>(body->fields().size()));
  for (const v1::Chunk& chunk : message.chunks()) {
    Sha256Digest digest;
    std::copy(chunk.sha256().begin(), chunk.sha256().end(), digest.begin());
    const auto raw = DecodeChunk(static_cast<ChunkEncoding>(chunk.encoding()), BytesOf(chunk.payload()),
                                 chunk.raw_size(), digest);
    ASSERT_TRUE(raw.ok()) << raw.status();
    EXPECT_EQ(TextOf(*raw), files[chunk.region()].second.substr(chunk.chunk() * kChunkBytes, kChunkBytes));
  }
}

TEST(StampedCrash, EveryNumberIsACrashOfItsOwn) {
  const auto body = Maker("256K").Make(0);
  EXPECT_NE(StampedCrash(body.get(), 1).Content(), StampedCrash(body.get(), 2).Content());
  EXPECT_EQ(StampedCrash(body.get(), 1).Content(), StampedCrash(body.get(), 1).Content());
}

TEST(ParsePlan, RefusesWhatIsNone) {
  for (const char* const text : {"", "64K", "2G", "2X", "lognormal", "lognormal:"}) {
    EXPECT_FALSE(ParsePlan(text).ok()) << text;
  }
}

}  // namespace
}  // namespace corefleet

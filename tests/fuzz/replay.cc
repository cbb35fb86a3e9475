// Runs a fuzzer's entry point over its seeds, over damaged copies of them and over noise: the same inputs
// every time, so that the ordinary test run, and the sanitizers', need no fuzzing engine.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "tests/fuzz/fuzzer.h"

namespace corefleet {
namespace {

constexpr int kNoiseInputs = 100;
constexpr size_t kMaxNoiseBytes = 600;

void Feed(const std::string& input) {
  ASSERT_EQ(LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size()), 0);
}

// A copy with a few bytes set, most of them to values at the edges, or with its end cut off.
std::string Damaged(const std::string& seed, std::mt19937_64* random) {
  constexpr char kEdges[] = {'\x00', '\x01', '\x7f', '\x80', '\xff', '\xfe', '=', '\n'};
  std::string out = seed;
  if (out.empty()) return out;
  if ((*random)() % 4 == 0) out.resize((*random)() % out.size());
  for (uint64_t left = 1 + (*random)() % 8; left > 0 && !out.empty(); --left) {
    out[(*random)() % out.size()] =
        (*random)() % 2 ? kEdges[(*random)() % sizeof(kEdges)] : static_cast<char>((*random)());
  }
  return out;
}

TEST(Replay, SeedsPass) {
  const std::vector<std::string> seeds = FuzzSeeds();
  ASSERT_FALSE(seeds.empty());
  for (const std::string& seed : seeds) Feed(seed);
}

TEST(Replay, DamagedSeedsPass) {
  std::mt19937_64 random(20261123);
  for (const std::string& seed : FuzzSeeds()) {
    for (int i = 0; i < DamagedCopiesPerSeed(); ++i) Feed(Damaged(seed, &random));
  }
}

TEST(Replay, NoisePasses) {
  std::mt19937_64 random(1);
  for (int i = 0; i < kNoiseInputs; ++i) {
    std::string noise(random() % kMaxNoiseBytes, '\0');
    std::generate(noise.begin(), noise.end(), [&] { return static_cast<char>(random()); });
    Feed(noise);
  }
}

}  // namespace
}  // namespace corefleet

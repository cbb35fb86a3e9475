#include "core/pstore/reed_solomon.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

namespace corefleet {
namespace {

using ::testing::Each;

std::vector<uint8_t> RandomBytes(size_t size, std::mt19937* random) {
  std::vector<uint8_t> bytes(size);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>((*random)());
  return bytes;
}

// Changes `count` different bytes of data and parity.
void Damage(size_t count, std::vector<uint8_t>* data, std::vector<uint8_t>* parity, std::mt19937* random) {
  std::set<size_t> places;
  while (places.size() < count) places.insert((*random)() % (data->size() + parity->size()));
  for (const size_t place : places) {
    uint8_t& byte = place < data->size() ? (*data)[place] : (*parity)[place - data->size()];
    byte = static_cast<uint8_t>(byte ^ (1 + (*random)() % 255));
  }
}

TEST(ReedSolomon, ParityOfKnownData) {
  // The example of QR codes' version 1-M ("HELLO WORLD"), which use this code with 10 bytes.
  const std::vector<uint8_t> data = {32, 91, 11, 120, 209, 114, 220, 77, 67, 64, 236, 17, 236, 17, 236, 17};
  EXPECT_EQ(ReedSolomon(10).Encode(data),
            (std::vector<uint8_t>{196, 35, 39, 119, 235, 215, 231, 226, 93, 23}));
}

TEST(ReedSolomon, RepairsUpToHalfOfTheParity) {
  std::mt19937 random(1);
  for (const size_t parity_size : {2u, 4u, 7u, 16u, 32u}) {
    const ReedSolomon code(parity_size);
    for (const size_t size : {1u, 12u, 100u, 128u}) {
      for (size_t errors = 0; errors <= parity_size / 2; ++errors) {
        const std::vector<uint8_t> data = RandomBytes(size, &random);
        std::vector<uint8_t> damaged = data;
        std::vector<uint8_t> parity = code.Encode(data);
        if (errors > size) continue;
        Damage(errors, &damaged, &parity, &random);
        EXPECT_EQ(code.Correct(absl::MakeSpan(damaged), parity), errors) << parity_size << " " << size;
        EXPECT_EQ(damaged, data);
      }
    }
  }
}

TEST(ReedSolomon, SaysThatMoreCannotBeRepairedAndChangesNothing) {
  std::mt19937 random(2);
  const ReedSolomon code(16);
  for (int i = 0; i < 200; ++i) {
    std::vector<uint8_t> data = RandomBytes(128, &random);
    std::vector<uint8_t> parity = code.Encode(data);
    Damage(9 + random() % 60, &data, &parity, &random);
    const std::vector<uint8_t> before = data;
    EXPECT_EQ(code.Correct(absl::MakeSpan(data), parity), std::nullopt);
    EXPECT_EQ(data, before);
  }
}

TEST(ReedSolomon, RefusesWhatIsNoCodeword) {
  std::vector<uint8_t> data(250);
  const std::vector<uint8_t> parity(16);
  EXPECT_EQ(ReedSolomon(16).Correct(absl::MakeSpan(data), parity), std::nullopt);
  EXPECT_EQ(ReedSolomon(8).Correct(absl::MakeSpan(data).subspan(0, 10), parity), std::nullopt);
}

TEST(ReedSolomon, OfNothingIsNothing) { EXPECT_THAT(ReedSolomon(16).Encode({}), Each(0)); }

}  // namespace
}  // namespace corefleet

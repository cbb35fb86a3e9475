#include "core/minidump/payload_positions.h"

#include "core/minidump/payload_chain.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

using State = PayloadPosition::State;
using testing::ElementsAre;

bool Anywhere(size_t, uint64_t) { return true; }

// "at:offset+size", "missing", "ambiguous", "assumed:offset+size".
std::vector<std::string> Words(const std::vector<PayloadPosition>& positions) {
  std::vector<std::string> words;
  for (const PayloadPosition& p : positions) {
    const std::string where = std::to_string(p.offset) + "+" + std::to_string(p.size);
    words.push_back(p.state == State::kAt          ? "at:" + where
                    : p.state == State::kMissing   ? "missing"
                    : p.state == State::kAmbiguous ? "ambiguous"
                                                   : "assumed:" + where);
  }
  return words;
}

TEST(LocatePayloadsTest, AllThere) {
  EXPECT_THAT(Words(LocatePayloads({{8, {}}, {16, {}}}, 100, 124, Anywhere)),
              ElementsAre("at:100+8", "at:108+16"));
}

TEST(LocatePayloadsTest, ASizeThatOnlyOneHasTellsWhichIsMissing) {
  EXPECT_THAT(Words(LocatePayloads({{8, {}}, {16, {}}, {32, {}}}, 0, 40, Anywhere)),
              ElementsAre("at:0+8", "missing", "at:8+32"));
}

TEST(LocatePayloadsTest, EqualSizesAreAmbiguousAndNeverGuessed) {
  EXPECT_THAT(Words(LocatePayloads({{8, {}}, {8, {}}, {32, {}}}, 0, 40, Anywhere)),
              ElementsAre("ambiguous", "ambiguous", "at:8+32"));
}

TEST(LocatePayloadsTest, ContentDecides) {
  EXPECT_THAT(Words(LocatePayloads({{8, {}}, {8, {}}, {32, {}}}, 0, 40,
                                   [](size_t payload, uint64_t at) { return payload != 0 || at != 0; })),
              ElementsAre("missing", "at:0+8", "at:8+32"));
}

TEST(LocatePayloadsTest, WhatWasFoundPartsTheSearch) {
  // 4 + 4 or 8 may be missing before the anchor; behind it all is there.
  EXPECT_THAT(Words(LocatePayloads({{4, {}}, {8, {}}, {4, {}}, {64, 8}, {8, {}}, {8, {}}}, 0, 88, Anywhere)),
              ElementsAre("ambiguous", "ambiguous", "ambiguous", "at:8+64", "at:72+8", "at:80+8"));
}

TEST(LocatePayloadsTest, AnotherLengthThanTheHeaderSays) {
  // The first is 3 bytes short or long, or its neighbour is: of it is sure what is before the doubt.
  EXPECT_THAT(Words(LocatePayloads({{64, 0}, {8, {}}, {64, 69}}, 0, 133, Anywhere)),
              ElementsAre("at:0+61", "ambiguous", "at:69+64"));
  EXPECT_THAT(Words(LocatePayloads({{64, 0}, {8, {}}, {64, 75}}, 0, 139, Anywhere)),
              ElementsAre("at:0+64", "ambiguous", "at:75+64"));
}

TEST(LocatePayloadsTest, AFileCutAtItsEnd) {
  EXPECT_THAT(Words(LocatePayloads({{64, 0}, {16, {}}, {16, {}}}, 0, 70, Anywhere)),
              ElementsAre("at:0+64", "assumed:64+6", "missing"));
}

TEST(LocatePayloadsTest, HostileSizes) {
  EXPECT_THAT(Words(LocatePayloads({{UINT64_MAX, {}}, {UINT64_MAX, {}}}, 0, 10, Anywhere)),
              ElementsAre("missing", "missing"));
  EXPECT_THAT(Words(LocatePayloads({{8, 500}, {8, UINT64_MAX}}, 100, 108, Anywhere)),
              ElementsAre("ambiguous", "ambiguous"));
  // Too many ways to count: said to be ambiguous, in bounded time.
  std::vector<Payload> many;
  for (uint64_t i = 0; i < 200; ++i) many.push_back({(uint64_t{1} << (i % 20)) * 4 + 4 * i, {}});
  uint64_t sum = 0;
  for (const Payload& payload : many) sum += payload.size;
  for (const PayloadPosition& position : LocatePayloads(many, 0, sum / 2, Anywhere))
    EXPECT_NE(position.state, State::kAt);
}

TEST(ChooseChainTest, PlacesOutOfOrderAreLeftOut) {
  const auto chain = ChooseChain({{{100, 1}}, {{50, 1}}, {{116, 1}}}, {8, 8, 8});
  EXPECT_THAT(chain, ElementsAre(100, std::nullopt, 116));
}

TEST(ChooseChainTest, OneShiftIsBelievedBeforeTwo) {
  const auto chain = ChooseChain({{{0, 3}}, {{8, 1}, {4, 1}}, {{16, 3}}}, {8, 8, 8});
  EXPECT_THAT(chain, ElementsAre(0, 8, 16));
}

}  // namespace
}  // namespace corefleet

#include "core/reassembly/id_scores.h"

#include <gtest/gtest.h>

#include <vector>

namespace corefleet {
namespace {

Piece PieceOf(uint32_t id, uint64_t size) {
  Piece piece;
  piece.id = id;
  piece.size = size;
  return piece;
}

Slot SlotOf(uint64_t vaddr, uint64_t size) {
  Slot slot;
  slot.vaddr = vaddr;
  slot.has_vaddr = true;
  slot.size = size;
  return slot;
}

class IdScoresTest : public testing::Test {
 protected:
  std::vector<Slot> slots_ = {SlotOf(0x1000, 8), SlotOf(0x2000, 8), SlotOf(0x3000, 3000), SlotOf(0x4000, 8)};
  std::vector<Defect> defects_;
  Vmcoreinfo info_ = Vmcoreinfo::Parse(BytesOf("SYMBOL(prb)=2000\n"), &defects_);
};

TEST_F(IdScoresTest, AnAddressDecides) {
  const IdScores scores(MeminspectSeries::kV1, {PieceOf(22, 8)}, info_, slots_);
  EXPECT_GT(scores.Match(1, 22), scores.Match(0, 22)) << "prb is at the second slot";
  EXPECT_EQ(scores.Match(0, 22), scores.Match(3, 22));
}

TEST_F(IdScoresTest, WhatCameUnderAnIdSpeaksForSlotsOfItsSize) {
  const IdScores scores(MeminspectSeries::kV1, {PieceOf(60, 2999)}, info_, slots_);
  EXPECT_GT(scores.Match(2, 60), scores.Match(0, 60));
  EXPECT_EQ(scores.Match(2, 61), scores.Match(0, 61)) << "nothing came under it";
  EXPECT_LT(scores.Skip(60, true), scores.Skip(61, true));
}

TEST_F(IdScoresTest, WhatIsTakenAwayNeverCame) {
  for (const MeminspectSeries series :
       {MeminspectSeries::kUnknown, MeminspectSeries::kV1, MeminspectSeries::kV3, MeminspectSeries::kRfc3}) {
    const std::vector<Piece> pieces = {PieceOf(3, 3000), PieceOf(22, 8), PieceOf(60, 3000), PieceOf(60, 12)};
    for (const uint32_t id : {3u, 22u, 60u, 61u, 200u, 4000u}) {
      std::vector<Piece> others;
      for (const Piece& piece : pieces) {
        if (piece.id != id) others.push_back(piece);
      }
      IdScores taken(series, pieces, info_, slots_);
      taken.TakeAway(id);
      const IdScores never(series, others, info_, slots_);
      for (size_t i = IdScores::kIdStart; i < IdScores::kIdEnd; ++i) {
        EXPECT_EQ(taken.Skip(i, true), never.Skip(i, true)) << i;
        EXPECT_EQ(taken.Skip(i, false), never.Skip(i, false)) << i;
        for (size_t j = 0; j < slots_.size(); ++j) EXPECT_EQ(taken.Match(j, i), never.Match(j, i)) << i;
      }
    }
  }
}

TEST_F(IdScoresTest, ASlotThatIsOfNoUseGoesWithAnyId) {
  slots_[1].usable = false;
  const IdScores scores(MeminspectSeries::kV1, {PieceOf(22, 8)}, info_, slots_);
  for (size_t i = IdScores::kIdStart; i < IdScores::kIdEnd; ++i) EXPECT_EQ(scores.Match(1, i), 0) << i;
}

}  // namespace
}  // namespace corefleet

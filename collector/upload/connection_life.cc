#include "collector/upload/connection_life.h"

#include <algorithm>

namespace corefleet {
namespace {

// Breaks after more than this cost little, and a new connection is not free either.
constexpr uint64_t kWorthwhile = 8 << 20;
// A connection always carries one message, however large that is.
constexpr uint64_t kLeast = 4 << 10;
constexpr int kGoodBeforeGrowth = 16;

}  // namespace

void ConnectionLife::Broke(uint64_t durable) {
  good_ = 0;
  if (durable == 0) return;
  const uint64_t before = last_break_;
  last_break_ = durable;
  if (allowance_ != kUnlimited) {
    // Broken with everything acknowledged: what ends a stream, too, takes bytes, and they were too many.
    const uint64_t carried = durable < allowance_ ? durable : allowance_ - allowance_ / 8;
    allowance_ = std::clamp(carried, kLeast, allowance_);
  } else if (before != 0 && durable < kWorthwhile && durable <= 2 * before && before <= 2 * durable) {
    allowance_ = std::max(std::min(before, durable), kLeast);
  }
}

void ConnectionLife::EndedOnPurpose() {
  if (++good_ < kGoodBeforeGrowth) return;
  good_ = 0;
  allowance_ += allowance_ / 8;
  if (allowance_ > kWorthwhile) *this = ConnectionLife();
}

}  // namespace corefleet

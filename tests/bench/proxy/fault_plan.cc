#include "tests/bench/proxy/fault_plan.h"

#include <algorithm>

namespace corefleet {
namespace {

// splitmix64
uint64_t Next(uint64_t* state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

}  // namespace

ConnectionFaults::ConnectionFaults(const LinkFaults& faults, uint64_t connection)
    : jitter_(faults.jitter),
      random_(faults.seed * 0x2545f4914f6cdd1d + connection),
      corrupt_every_(faults.corrupt_every),
      cut_at_(Draw(faults.cut_after)),
      half_close_at_(Draw(faults.half_close_after)),
      stall_at_(Draw(faults.stall_after)),
      corrupt_at_(Draw(faults.corrupt_every)) {}

void ConnectionFaults::Corrupted() { corrupt_at_ += std::max<uint64_t>(1, Draw(corrupt_every_)); }

uint64_t ConnectionFaults::Draw(uint64_t distance) {
  const double fraction = static_cast<double>(Next(&random_) >> 11) * 0x1p-53;  // [0, 1)
  if (distance == 0) return kNever;
  return static_cast<uint64_t>(static_cast<double>(distance) * (1 + jitter_ * (2 * fraction - 1)));
}

}  // namespace corefleet

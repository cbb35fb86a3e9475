#ifndef COREFLEET_SERVER_ADMISSION_JITTER_H_
#define COREFLEET_SERVER_ADMISSION_JITTER_H_

#include <cstdint>

#include "absl/time/time.h"

namespace corefleet {

// Numbers that keep devices from coming back in step; nobody may rely on not knowing them. Not thread-safe.
class Jitter {
 public:
  explicit Jitter(uint64_t seed) : state_(seed) {}

  // Zero to `width`, all alike.
  absl::Duration Upto(absl::Duration width) {
    // SplitMix64.
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    z ^= z >> 31;
    return width * (static_cast<double>(z >> 11) / static_cast<double>(uint64_t{1} << 53));
  }

 private:
  uint64_t state_;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_ADMISSION_JITTER_H_

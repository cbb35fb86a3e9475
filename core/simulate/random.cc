#include "core/simulate/random.h"

namespace corefleet {

// The state starts as the purpose's FNV-1a hash, mixed with the seed.
Random::Random(uint64_t seed, absl::string_view purpose) : state_(0xcbf29ce484222325) {
  for (const char c : purpose) state_ = (state_ ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  state_ ^= seed * 0x9e3779b97f4a7c15;
  Next();
}

// splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
uint64_t Random::Next() {
  uint64_t z = state_ += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

uint64_t Random::Below(uint64_t limit) { return limit == 0 ? 0 : Next() % limit; }

uint64_t Random::Between(uint64_t low, uint64_t high) { return low + Below(high - low + 1); }

std::vector<uint8_t> Random::Bytes(size_t count) {
  std::vector<uint8_t> bytes(count);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(Next());
  return bytes;
}

}  // namespace corefleet

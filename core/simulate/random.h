#ifndef COREFLEET_CORE_SIMULATE_RANDOM_H_
#define COREFLEET_CORE_SIMULATE_RANDOM_H_

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"

namespace corefleet {

// Numbers that look random and are the same on every machine and with every compiler, which the standard
// library's distributions do not promise. Not for secrets.
//
// Each purpose draws from a stream of its own, so that drawing more for one changes nothing for another: with
// another KASLR slide the log stays the same.
class Random {
 public:
  Random(uint64_t seed, absl::string_view purpose);

  uint64_t Next();
  // In [0, limit); 0 for a limit of 0.
  uint64_t Below(uint64_t limit);
  // In [low, high].
  uint64_t Between(uint64_t low, uint64_t high);
  std::vector<uint8_t> Bytes(size_t count);

  template <typename Array>
  const auto& Pick(const Array& choices) {
    return choices[Below(std::size(choices))];
  }

 private:
  uint64_t state_;
};

}  // namespace corefleet

#endif  // COREFLEET_CORE_SIMULATE_RANDOM_H_

#ifndef COREFLEET_TESTS_BENCH_LOAD_HOSTILE_H_
#define COREFLEET_TESTS_BENCH_LOAD_HOSTILE_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "tests/bench/load/device.h"

namespace corefleet {

// What a device may do to a server.
enum class Attack {
  kBomb,      // chunks whose zstd frames inflate to 256 MiB and claim to be 64 KiB
  kChecksum,  // chunks that are not what their checksum and digest say
  kDeaf,      // sends and never reads an acknowledgement, until nothing goes any more; then holds on
  kHalfOpen,  // connects and says nothing
  kGarbage,   // connects and sends noise
  kGreedy,    // opens sessions of 1024 regions and fills none
};
// "bomb", "checksum", "deaf", "half-open", "garbage", "greedy", in the order of Attack.
absl::string_view AttackName(Attack attack);
constexpr int kAttacks = 6;

// How attacks ended: counts by "NAME: END", END being a status code's name, "closed" or "open".
using AttackCounts = std::map<std::string, uint64_t>;

// One hostile device: attacks again and again until `end`, at most `per_second` times a second. `number` says
// which one it is. Blocks.
AttackCounts RunAttacks(Attack attack, const Connection& connection, int number, double per_second,
                        absl::Time end, Clock* clock);

}  // namespace corefleet

#endif  // COREFLEET_TESTS_BENCH_LOAD_HOSTILE_H_

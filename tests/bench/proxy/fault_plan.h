#ifndef COREFLEET_TESTS_BENCH_PROXY_FAULT_PLAN_H_
#define COREFLEET_TESTS_BENCH_PROXY_FAULT_PLAN_H_

#include <cstdint>
#include <limits>

#include "absl/time/time.h"

namespace corefleet {

// What a link does to each connection. Distances are in bytes from the client to the server, counted from the
// connection's start, each moved by up to `jitter` of itself; 0 means never.
struct LinkFaults {
  uint64_t cut_after = 0;         // both ends see a reset; what is on the way is lost
  uint64_t half_close_after = 0;  // the server sees the end of the stream; the client may go on reading
  uint64_t corrupt_every = 0;     // one bit of one byte turns over, again and again
  uint64_t stall_after = 0;       // once: nothing moves in either direction for `stall`
  absl::Duration stall = absl::Seconds(5);
  absl::Duration delay;           // of every byte, in each direction
  uint64_t bytes_per_second = 0;  // in each direction; 0: unlimited
  double jitter = 0;              // 0 to 1
  uint64_t seed = 1;
};

// The places where one connection's faults strike, drawn from the seed and the connection's number: the same
// run fails in the same places again.
class ConnectionFaults {
 public:
  static constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

  ConnectionFaults(const LinkFaults& faults, uint64_t connection);

  uint64_t cut_at() const { return cut_at_; }
  uint64_t half_close_at() const { return half_close_at_; }
  uint64_t stall_at() const { return stall_at_; }
  // The byte to corrupt next; goes on to the one after it.
  uint64_t corrupt_at() const { return corrupt_at_; }
  void Corrupted();

 private:
  uint64_t Draw(uint64_t distance);

  double jitter_;
  uint64_t random_;
  uint64_t corrupt_every_;
  uint64_t cut_at_;
  uint64_t half_close_at_;
  uint64_t stall_at_;
  uint64_t corrupt_at_;
};

}  // namespace corefleet

#endif  // COREFLEET_TESTS_BENCH_PROXY_FAULT_PLAN_H_

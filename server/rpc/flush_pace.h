#ifndef COREFLEET_SERVER_RPC_FLUSH_PACE_H_
#define COREFLEET_SERVER_RPC_FLUSH_PACE_H_

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"

namespace corefleet {

// How often a stream may ask for a flush of little. Each costs the server a sync and a transaction, however
// little it makes durable, and a device that asks with every chunk and reads no answer would keep the disk
// and the database busy for everybody. A flush of much costs the device more than the server. Not
// thread-safe.
class FlushPace {
 public:
  // As many at once; a careful device whose messages grow by a sixteenth of what it has brought over needs
  // about 70 until they are of much.
  static constexpr double kBurst = 80;
  // What a device notices that waits for each acknowledgement is a tenth of a second, after those.
  static constexpr absl::Duration kEvery = absl::Milliseconds(100);
  // Bytes as they are stored: a message of four chunks that do not compress.
  static constexpr uint64_t kMuch = 256 << 10;

  explicit FlushPace(absl::Time now) : since_(now) {}

  // A flush of `bytes` is asked for. How long it has to wait: at most kEvery.
  absl::Duration Ask(uint64_t bytes, absl::Time now) {
    if (bytes >= kMuch) return absl::ZeroDuration();
    const absl::Duration passed = std::max(now - since_, absl::ZeroDuration());
    left_ = std::min(kBurst, left_ + absl::FDivDuration(passed, kEvery)) - 1;
    since_ = std::max(now, since_);
    if (left_ >= 0) return absl::ZeroDuration();
    // It waits until there is one for it, so that there is none left then.
    const absl::Duration wait = std::min(-left_, 1.0) * kEvery;
    left_ = std::max(left_, -1.0);
    return wait;
  }

 private:
  double left_ = kBurst;
  absl::Time since_;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_RPC_FLUSH_PACE_H_

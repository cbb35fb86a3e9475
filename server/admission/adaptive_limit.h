#ifndef COREFLEET_SERVER_ADMISSION_ADAPTIVE_LIMIT_H_
#define COREFLEET_SERVER_ADMISSION_ADAPTIVE_LIMIT_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace corefleet {

// Where a crash may have to wait in the server.
enum class ServerPart {
  kWorker,  // for a thread that takes its call
  kIndex,   // for an answer of the database
  kStore,   // for the disk, and for the row that names what is on it
};
constexpr size_t kServerParts = 3;

// How much work a server may have in flight, found out from what it does.
//
// More in flight than it can work on makes nothing faster: everything shares the server and all of it becomes
// slow together, until devices give up on what was nearly done, and each costs more than alone. Less than it
// can work on leaves it idle. So once a second: when things take the server longer than they should, the
// limit falls in proportion; when they do not, and the limit was what kept somebody out, it rises. Only the
// server's own delays count. How long a device takes says nothing, for most devices are slow and that is not
// the server's fault.
//
// What things should take is another matter on each disk. What the server's parts took at their best is what
// they take when nobody waits; how much longer they take now is waiting, and that alone has a bound. Where
// the limit is as low as it may be nobody waits either, so there the best is learned anew.
//
// It measures on the way how fast work is finished, which is what a place in the queue is worth. A second in
// which nobody had to wait tells how much was asked for, and not how much could be done; so it can raise that
// speed and never lower it. Not thread-safe.
class AdaptiveLimit {
 public:
  struct Options {
    uint64_t least = 32 << 20;
    // To begin with: what a small machine does in half a second.
    uint64_t first = 128 << 20;
    uint64_t most = uint64_t{2} << 30;
    // How much longer than at their best the server's parts may take, all together, on the average of a
    // second.
    absl::Duration long_wait = absl::Milliseconds(100);
  };

  explicit AdaptiveLimit(const Options& options);

  // A part of the server took so long for something that takes it milliseconds when there is little to do.
  void Took(ServerPart part, absl::Duration took, absl::Time now);
  // Some work is done.
  void Finished(uint64_t work, absl::Time now);
  // The limit kept somebody out.
  void KeptOut(absl::Time now);

  uint64_t limit(absl::Time now);
  // Work per second, 1 at least.
  double speed(absl::Time now);
  // Somebody was kept out in this second or the last one.
  bool binding(absl::Time now);
  // The limit is the operator's: the server could take more.
  bool at_most() const { return limit_ >= options_.most; }
  // What the server's parts took in the last second.
  absl::Duration delay() const { return delay_; }

 private:
  struct Average {
    double seconds = 0;
    uint64_t count = 0;
  };

  void Roll(absl::Time now);
  void CloseWindow(absl::Duration window);
  // What the parts took, all together, and how much of it they would not have taken at their best.
  void Measure();

  const Options options_;
  uint64_t limit_;
  double speed_;
  absl::Duration delay_;
  double waiting_ = 0;  // seconds of `delay_`
  // Seconds that each part took in its best second.
  std::array<double, kServerParts> best_;
  bool was_binding_ = false;
  // Of the window under way.
  absl::Time began_ = absl::InfinitePast();
  std::array<Average, kServerParts> parts_;
  uint64_t finished_ = 0;
  bool kept_out_ = false;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_ADMISSION_ADAPTIVE_LIMIT_H_

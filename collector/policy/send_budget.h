#ifndef COREFLEET_COLLECTOR_POLICY_SEND_BUDGET_H_
#define COREFLEET_COLLECTOR_POLICY_SEND_BUDGET_H_

#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "collector/policy/moment.h"
#include "collector/policy/token_bucket.h"

namespace corefleet {

// How much a device may send. The counts a day are token buckets: they fill up evenly.
struct BudgetLimits {
  uint32_t crashes_per_day = 32;
  uint64_t bytes_per_day = 24 << 20;  // on the wire, compressed
  // False: a crash may begin while either has something left, whichever lasts longer, and then goes through.
  // True: both must have, and the bytes stop a crash half-way, until they have grown again.
  bool strict = false;
  uint64_t bytes_per_second = 0;  // 0: no limit

  friend bool operator==(const BudgetLimits&, const BudgetLimits&) = default;
};

// What is left of them. A value type; one thread at a time.
class SendBudget {
 public:
  struct State {
    TokenBucket::State crashes;
    TokenBucket::State bytes;
  };

  SendBudget(const BudgetLimits& limits, const Moment& now);

  // How long until a crash may begin; zero: now.
  absl::Duration UntilCrash(const Moment& now);
  // How long until a message of a crash that has begun may leave, for what the day's bytes say; zero: now.
  absl::Duration UntilBytes(const Moment& now);
  // How long to wait before a message of `bytes` for the rate's sake; it counts as sent from here on.
  absl::Duration Pace(uint64_t bytes, const Moment& now);

  void CrashSent(const Moment& now) { crashes_.Take(1, now); }
  void BytesSent(uint64_t bytes, const Moment& now) { bytes_.Take(static_cast<double>(bytes), now); }

  double crashes_left(const Moment& now) { return crashes_.Tokens(now); }
  double bytes_left(const Moment& now) { return bytes_.Tokens(now); }

  State state() const { return {crashes_.state(), bytes_.state()}; }
  void Restore(const State& state);

 private:
  BudgetLimits limits_;
  TokenBucket crashes_;
  TokenBucket bytes_;
  // The link is busy with what was paced until then; in this boot.
  absl::Duration busy_until_ = absl::ZeroDuration();
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_POLICY_SEND_BUDGET_H_

#ifndef COREFLEET_COLLECTOR_POLICY_TOKEN_BUCKET_H_
#define COREFLEET_COLLECTOR_POLICY_TOKEN_BUCKET_H_

#include "absl/time/time.h"
#include "collector/policy/moment.h"

namespace corefleet {

// So much a period, evenly, and no more than that at once. Its state survives restarts; no clock can make it
// give more than one period's worth at a time, or keep it empty for ever. A value type; one thread at a time.
class TokenBucket {
 public:
  struct State {
    double tokens = 0;
    Moment at;

    friend bool operator==(const State&, const State&) = default;
  };

  // A full one. `capacity` over 0.
  TokenBucket(double capacity, absl::Duration period, const Moment& now)
      : capacity_(capacity), period_(period), state_{capacity, now} {}

  // What is in it; negative while in debt.
  double Tokens(const Moment& now);
  // Takes what was used. It may run into debt, but by no more than a period's worth.
  void Take(double tokens, const Moment& now);
  // How long until it is worth asking again; zero when something is in it.
  absl::Duration UntilSome(const Moment& now);

  const State& state() const { return state_; }
  // Goes on from a state that was kept, perhaps in an earlier boot, perhaps for another capacity.
  void Restore(const State& state);

 private:
  void Refill(const Moment& now);

  double capacity_;
  absl::Duration period_;
  State state_;
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_POLICY_TOKEN_BUCKET_H_

#ifndef COREFLEET_COLLECTOR_POLICY_UPLOAD_SCHEDULE_H_
#define COREFLEET_COLLECTOR_POLICY_UPLOAD_SCHEDULE_H_

#include <functional>

#include "absl/time/time.h"
#include "collector/policy/moment.h"

namespace corefleet {

// When a device tries to send. Rounds begin every `interval`, the first one a random part of `start_jitter`
// later, so that a fleet that boots together does not call together. After a failure: full-jitter backoff
// from first_delay, doubling up to max_delay, reset by anything that became durable; a server may make a wait
// longer, not shorter. A value type; one thread at a time.
class UploadSchedule {
 public:
  struct Options {
    absl::Duration interval = absl::Hours(1);
    double start_jitter = 0.25;  // part of the interval, 0 to 1
    absl::Duration first_delay = absl::Seconds(1);
    absl::Duration max_delay = absl::Minutes(5);
  };
  // What a restart must not forget.
  struct State {
    Moment since;                                // when `wait` was said
    absl::Duration wait = absl::ZeroDuration();  // by a server: not before so long after it
    bool not_in_this_boot = false;               // by a server: not before another boot than that of `since`
  };

  // `random` gives numbers in [0, 1).
  UploadSchedule(const Options& options, const Moment& now, std::function<double()> random);

  // How long until the next attempt; zero: now. InfiniteDuration: not in this boot.
  absl::Duration UntilDue(const Moment& now) const;
  // True when only a server's word holds it up.
  bool held_by_server(const Moment& now) const { return ServersWait(now) > absl::ZeroDuration(); }

  void Progressed() { ceiling_ = options_.first_delay; }
  // All that could be sent was.
  void RoundDone(const Moment& now);
  // An attempt failed. `server_delay` is what the server asked for, zero if nothing.
  void Failed(absl::Duration server_delay, bool not_before_next_boot, const Moment& now);
  // What waits can now not wait: the link came, or a person asked.
  void Hasten(const Moment& now) { due_ = now.since_boot; }

  const State& state() const { return state_; }
  void Restore(const State& state) { state_ = state; }

 private:
  absl::Duration ServersWait(const Moment& now) const;

  Options options_;
  std::function<double()> random_;
  absl::Duration due_;  // since boot
  absl::Duration ceiling_;
  State state_;
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_POLICY_UPLOAD_SCHEDULE_H_

#ifndef COREFLEET_COLLECTOR_UPLOAD_RETRY_POLICY_H_
#define COREFLEET_COLLECTOR_UPLOAD_RETRY_POLICY_H_

#include <functional>
#include <limits>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"

namespace corefleet {

// How long to try, and how often.
struct RetryPolicy {
  absl::Duration first_delay = absl::Seconds(1);
  absl::Duration max_delay = absl::Minutes(5);
  // Gives up when this long passed without anything new becoming durable.
  absl::Duration patience = absl::InfiniteDuration();
  // The same as long as the server never answered at all.
  absl::Duration patience_unreached = absl::InfiniteDuration();
  // Gives up at this many breaks in a row without anything new becoming durable.
  int max_fruitless = std::numeric_limits<int>::max();
  // Gives up when the server wants to be left alone for longer.
  absl::Duration max_server_delay = absl::InfiniteDuration();
  // Whether to wait and try again when not even a session came about.
  bool retry_begin = true;

  // For a device that has nothing else to do with its crash: never gives up.
  static RetryPolicy Endless() { return {}; }
  // For a device that has other crashes, too: goes on as long as attempts bring something. One break that
  // brought nothing is put up with, because the stream after it is a careful one; all other waiting is the
  // caller's.
  static RetryPolicy WhileItPays() {
    return {.max_fruitless = 1, .max_server_delay = absl::Seconds(5), .retry_begin = false};
  }
  // For a person who waits: an unreachable server is reported within 5 seconds.
  static RetryPolicy Interactive() {
    return {.first_delay = absl::Milliseconds(200),
            .max_delay = absl::Seconds(2),
            .patience = absl::Seconds(60),
            .patience_unreached = absl::Seconds(3)};
  }
};

// What CrashIngest's status contract asks of a client (proto/corefleet/v1/ingest.proto).
enum class Remedy {
  kResume,      // back off, then ask what is missing and go on
  kBeginAgain,  // the session is gone: begin it again
  kGiveUp,      // never accepted as it is
};

Remedy RemedyFor(absl::StatusCode code);

// True for the codes with which a transport says that there is nobody, or nobody who answers in time.
bool SoundsUnreached(absl::StatusCode code);

// Waits between attempts: full-jitter exponential, so that a fleet that lost its server together does not
// come back together. One thread at a time.
class Backoff {
 public:
  // `random` gives numbers in [0, 1). `clock` must outlive it.
  Backoff(const RetryPolicy& policy, Clock* clock, std::function<double()> random);

  // Something became durable, or the server answered something new: start over.
  void Progressed();
  // The server answered, whatever it said.
  void Reached() { reached_ = true; }
  bool reached() const { return reached_; }
  // Sleeps before the next attempt: its own jittered delay, on top of what the server asked for. False,
  // without sleeping, when it is time to give up, or would be when the server wants to be asked again.
  bool Wait(absl::Duration server_delay = absl::ZeroDuration());

 private:
  RetryPolicy policy_;
  Clock* clock_;
  std::function<double()> random_;
  bool reached_ = false;
  int fruitless_ = 0;
  absl::Time last_progress_;
  absl::Duration ceiling_;
};

// Uniform numbers in [0, 1) from the system's randomness. Thread-safe.
std::function<double()> SystemRandom();

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_UPLOAD_RETRY_POLICY_H_

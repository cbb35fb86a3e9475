#ifndef COREFLEET_SERVER_ADMISSION_PACER_H_
#define COREFLEET_SERVER_ADMISSION_PACER_H_

#include "absl/time/time.h"

namespace corefleet {

// A token bucket that gives those whom it turns away a place in a queue.
//
// What is taken has a cost, in seconds of what the server was told to do (at 100 crashes a second one costs
// 10 ms). Credit grows with time, up to `burst`. Who finds too little credit is told when his turn is: one
// place after the other, each as far from the last as its cost. So those who were turned away together come
// back one by one, at the rate and no faster, and each is told to wait for those before him and not longer.
//
// While places are given away, credit belongs to those who come back: a newcomer may take only what would be
// lost because the bucket is full, which is what those leave who never come back. Not thread-safe.
class Pacer {
 public:
  explicit Pacer(absl::Duration burst) : burst_(burst) {}

  // True when somebody may take `cost` now. `in_turn`: he was given a place, and its time has come.
  bool CanTake(absl::Duration cost, absl::Time now, bool in_turn);
  void Take(absl::Duration cost, absl::Time now);

  // Gives away the next place: how long it is until then.
  absl::Duration NextPlace(absl::Duration cost, absl::Time now);
  // How long until there is credit: for whose turn has come and who found none, because another one was late.
  absl::Duration UntilCredit(absl::Duration cost, absl::Time now);

  // How far away the next place is; zero when nobody waits.
  absl::Duration queue(absl::Time now) const;

 private:
  void Refill(absl::Time now);

  const absl::Duration burst_;
  // Negative after something that cost more than there was, down to -burst.
  absl::Duration credit_ = burst_;
  absl::Time refilled_ = absl::InfinitePast();
  absl::Time queue_ends_ = absl::InfinitePast();
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_ADMISSION_PACER_H_

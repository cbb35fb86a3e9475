#ifndef COREFLEET_SERVER_ADMISSION_BYTES_IN_FLIGHT_H_
#define COREFLEET_SERVER_ADMISSION_BYTES_IN_FLIGHT_H_

#include <cstddef>
#include <cstdint>
#include <list>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "core/crash/ids.h"

namespace corefleet {

// What the open sessions of this server still have to bring. A session counts from its BeginCrash until it is
// finished or abandoned, or until nothing came for `stall`: a device that went away must not hold the place
// of one that is here. Thread-safe.
class BytesInFlight {
 public:
  struct Limits {
    uint64_t bytes = uint64_t{2} << 30;
    // One session counts for no more: it moves no faster than its link, and a vmcore of gigabytes must not
    // keep a fleet out.
    uint64_t session_bytes = 32 << 20;
    absl::Duration stall = absl::Seconds(90);
    // Beyond it those that said least lately are forgotten.
    size_t sessions = 100'000;
  };

  explicit BytesInFlight(const Limits& limits) : limits_(limits) {}

  // True when a session that has to bring `bytes` has room. A server with nothing in flight takes anything.
  // While some were told to come back (Wait), a quarter of the room is theirs: `in_turn` is one of them.
  bool HasRoom(uint64_t bytes, absl::Time now, bool in_turn);
  // How long until there is room, at the speed at which bytes have been coming in: for each that asks, behind
  // those that asked before. Never more than it takes to find out that everybody stalls.
  absl::Duration Wait(uint64_t bytes, absl::Time now);

  // The session has `bytes` to bring, whatever it had before. Sets no limit: a session that goes on is let
  // in.
  void Expect(const SessionId& session, uint64_t bytes, absl::Time now);
  // Some of them are durable.
  void Brought(const SessionId& session, uint64_t bytes, absl::Time now);
  // It is finished, abandoned or was not opened.
  void End(const SessionId& session);

  // What all have to bring: of each its part of the limit, and everything.
  uint64_t counted() const;
  uint64_t remaining() const;

 private:
  struct Session {
    SessionId id;
    uint64_t remaining;
    absl::Time heard;
  };
  using BySilence = std::list<Session>;

  uint64_t Counted(uint64_t remaining) const;
  void Change(Session* session, uint64_t remaining) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forget(BySilence::iterator session) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ForgetStalled(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Measure(uint64_t bytes, absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Limits limits_;
  mutable absl::Mutex mutex_;
  BySilence sessions_ ABSL_GUARDED_BY(mutex_);  // the one that was silent for longest in front
  absl::flat_hash_map<SessionId, BySilence::iterator> by_id_ ABSL_GUARDED_BY(mutex_);
  uint64_t counted_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t remaining_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time queue_ends_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  // How fast bytes come in.
  double bytes_per_second_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t measured_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time measured_since_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_ADMISSION_BYTES_IN_FLIGHT_H_

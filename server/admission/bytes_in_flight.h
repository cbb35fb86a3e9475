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
#include "server/admission/adaptive_limit.h"

namespace corefleet {

// The open uploads of this server, and how much work they are for it in the near future: that has a limit
// (AdaptiveLimit), and what they still have to bring takes room on the disk.
//
// Work is counted in bytes; a crash is as much work as kCrashWork bytes besides its own. A session counts
// whole when it is new, and after a second only for what its device brings in half a second: one with a slow
// link keeps a server no busier than that. When nothing came for a moment, or its stream has ended, it does
// not count until something comes: a device that went away must not hold the place of one that is here.
// Thread-safe.
class BytesInFlight {
 public:
  // What a crash costs besides its bytes: its session, its rows, its end.
  static constexpr uint64_t kCrashWork = 512 << 10;
  // Announcing is free, and a device that announces a terabyte must not fill the disk with its word.
  static constexpr uint64_t kBelieved = 64 << 20;

  struct Limits {
    AdaptiveLimit::Options work;
    // One session counts for no more: it moves no faster than its link, and a vmcore of gigabytes must not
    // keep a fleet out.
    uint64_t session_work = 4 << 20;
    // Nothing came for so long: it does not count as work.
    absl::Duration silence = absl::Milliseconds(1500);
    // Nothing came for so long: its bytes are not expected any more.
    absl::Duration stall = absl::Seconds(90);
    // Beyond it those that said least lately are forgotten.
    size_t sessions = 100'000;
  };

  enum class Room {
    kFree,
    kFull,
    // More than half is taken, and this device has a quarter of it, or brought nothing yet of its last crash.
    kDeviceFull,
  };

  explicit BytesInFlight(const Limits& limits) : limits_(limits), limit_(limits.work) {}

  // Whether a crash that has to bring `bytes` has room. A server with nothing in flight takes anything. While
  // some were told to come back (Wait), a quarter of the room is theirs: `in_turn` is one of them.
  Room RoomFor(const DeviceId& device, uint64_t bytes, absl::Time now, bool in_turn);
  // How long until there is room, at the speed of the server: when what is in flight is half of what may be,
  // and for each that asks behind those that asked before.
  absl::Duration Wait(uint64_t bytes, absl::Time now);
  // The same for whose turn has come and who found none: only behind others to whom that happened.
  absl::Duration WaitInTurn(uint64_t bytes, absl::Time now);

  // The session has `bytes` to bring, whatever it had before. Sets no limit: a session that goes on is let
  // in.
  void Expect(const SessionId& session, const DeviceId& device, uint64_t bytes, absl::Time now);
  // Some of them are durable.
  void Brought(const SessionId& session, uint64_t bytes, absl::Time now);
  // Its stream has ended, and perhaps another one comes.
  void Left(const SessionId& session);
  // It is finished, abandoned or was not opened.
  void End(const SessionId& session, absl::Time now);

  // A part of the server took so long.
  void Took(ServerPart part, absl::Duration took, absl::Time now);

  // What stands now.
  struct Standing {
    uint64_t work = 0;
    uint64_t limit = 0;
    double speed = 0;  // work per second
    absl::Duration delay;
    absl::Duration queue;  // how long the last one who was told to come back waits
    bool binding = false;  // somebody was kept out within the last seconds
    bool at_most = false;  // the limit is the operator's
  };
  Standing standing(absl::Time now);
  bool binding(absl::Time now);
  // The bytes that all have to bring, as far as they can be believed: a session that brought nothing yet is
  // believed kBelieved bytes, and nothing once it is silent; with what comes it is believed more.
  uint64_t remaining() const;

 private:
  struct Session {
    SessionId id;
    size_t device;  // a hash of the name: two names with one hash share a part, and nobody can choose them
    uint64_t remaining;
    uint64_t reserved;  // of the disk
    uint64_t work;      // that it counts for now
    bool promised;      // it counts, and nothing of it came yet
    uint64_t brought;
    absl::Time since;
    absl::Time heard;
    bool silent;
  };
  using BySilence = std::list<Session>;
  struct OfDevice {
    uint64_t work = 0;
    uint32_t promised = 0;  // sessions
  };

  absl::Duration Queue(uint64_t bytes, absl::Time now, absl::Time* ends)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t WorkOf(uint64_t bytes) const;
  uint64_t WorkOf(const Session& session, absl::Time now) const;
  BySilence* ListOf(const Session& session) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return session.silent ? &silent_ : &active_;
  }
  void Reserve(Session* session, uint64_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static uint64_t BelievedOf(const Session& session);
  void Count(Session* session, uint64_t work) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Heard(BySilence::iterator session, absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Silence(BySilence::iterator session) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forget(BySilence::iterator session) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ForgetSilent(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Limits limits_;
  mutable absl::Mutex mutex_;
  AdaptiveLimit limit_ ABSL_GUARDED_BY(mutex_);
  // Those that are at it and those that are silent, in each the one that was silent for longest in front.
  BySilence active_ ABSL_GUARDED_BY(mutex_);
  BySilence silent_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<SessionId, BySilence::iterator> by_id_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<size_t, OfDevice> by_device_ ABSL_GUARDED_BY(mutex_);  // none that has no work
  uint64_t work_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t remaining_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time queue_ends_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  absl::Time late_ends_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();  // of those in their turn
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_ADMISSION_BYTES_IN_FLIGHT_H_

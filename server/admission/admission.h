#ifndef COREFLEET_SERVER_ADMISSION_ADMISSION_H_
#define COREFLEET_SERVER_ADMISSION_ADMISSION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "core/crash/ids.h"
#include "server/admission/bytes_in_flight.h"
#include "server/admission/device_table.h"
#include "server/admission/jitter.h"
#include "server/admission/pacer.h"
#include "server/admission/quota_table.h"
#include "server/admission/refusal.h"
#include "server/admission/rules.h"
#include "server/admission/wanted_regions.h"
#include "server/admission/watermarks.h"
#include "storage/crash_index.h"

namespace corefleet {

// What the operator lets devices bring. 0 sets no limit, where a rate is meant.
struct AdmissionLimits {
  // One device, on the long run, and at once.
  double device_crashes_per_hour = 360;
  uint32_t device_burst = 240;
  // All devices together. A crash costs the larger of what it is of the one and of the other. Charged as
  // announced, so a few liars who announce gigabytes would use up anybody's share: no limit unless asked for,
  // for the work in flight counts only what comes.
  double fleet_crashes_per_second = 0;
  double fleet_bytes_per_second = 0;
  // The fleet may bring at once what it may bring in so long.
  absl::Duration fleet_burst = absl::Seconds(5);
  BytesInFlight::Limits in_flight;
  // Free bytes of the store: none is let in below the first, until there is the second again.
  uint64_t min_free_bytes = 64 << 20;
  uint64_t free_bytes_again = 96 << 20;
  DatabaseLoad::Limits database;
  size_t devices = 100'000;
  size_t quota_kinds = 65'536;
};

// What of a crash its log can be read from.
struct LogShare {
  LogPart part = LogPart::kUnknown;
  uint64_t to_bring = 0;
};

// A crash that no session is there for, or of which a part is stored and more could come.
struct AskingCrash {
  const DeviceId* device = nullptr;
  const CrashUid* uid = nullptr;
  const CrashHints* hints = nullptr;
  uint64_t bytes = 0;         // of all regions
  uint64_t all_to_bring = 0;  // if everything is wanted
  bool stored = false;        // a part is stored: what has nothing to bring is let in for nothing
  // If the log alone is wanted. Asked only when a rule wants it so: it looks at every region's name.
  std::function<LogShare()> log = [] { return LogShare(); };
};

// It may come.
struct Grant {
  SessionTerms terms;
  std::optional<absl::Duration> ask_again;
};

// What stands now, for metrics and the log.
struct AdmissionStanding {
  bool kill_switch = false;
  bool rules_good = true;  // false: the rules file is broken, and the rules before it are in force
  size_t rules = 0;
  BytesInFlight::Standing in_flight;
  absl::Duration queue;  // how long the last waits who was told to come back in his turn
  bool store_full = false;
  bool database_busy = false;
  size_t devices = 0;  // that are remembered
};

// Decides who may bring a crash, how much of it, and when the others shall come back. In this order: the kill
// switch, the operator's rules, the device's rate, the fleet's, the work in flight, the disk, the database.
// Nothing is taken from a bucket or a quota unless all of them agree. Holds for this
// process alone. Its memory is bounded: about 100 bytes for each of `devices`, 60 for each of `quota_kinds`,
// 150 for each session in flight. Thread-safe; never blocks for long.
class Admission {
 public:
  Admission(const AdmissionLimits& limits, const Clock* clock, uint64_t seed);

  void SetRules(AdmissionRules rules);

  // Decides. `free_bytes` are those of the store. On OK `session` counts as in flight from now on.
  //   RESOURCE_EXHAUSTED  not now; RefusedBy says why and for how long
  //   PERMISSION_DENIED   never; RefusedBy says why
  absl::StatusOr<Grant> Decide(const AskingCrash& crash, const SessionId& session, uint64_t free_bytes);

  // The same refusal as Decide's, if it would only be for now and because of the work in flight, and the
  // device does not come in its turn. For a crash that nothing is known of yet: what it costs to find out
  // whether there is a session is most of what it costs to say that there is no room. None: ask, and Decide.
  std::optional<Refused> RefuseAtOnce(const AskingCrash& crash);

  // What a session's rule says now about asking again; none if it is not there any more.
  std::optional<absl::Duration> AskAgainOf(const std::string& rule);

  // True when a device's account is worth a transaction: it is another one than the last, and that one is a
  // minute old. `fingerprint` is of its content.
  bool TakesAccount(const DeviceId& device, uint64_t fingerprint);

  BytesInFlight* in_flight() { return &in_flight_; }
  DatabaseLoad* database() { return &database_; }
  AdmissionStanding standing();

 private:
  // What the rules say, before any limit.
  struct Ruling {
    std::optional<Refused> refused;
    SessionTerms terms;
    std::optional<absl::Duration> ask_again;
    uint64_t log_to_bring = 0;  // when the log alone is wanted
    std::string quota;          // the key to count the crash under; empty: none
  };

  std::shared_ptr<const AdmissionRules> rules();
  Ruling RuleOn(const AdmissionRules& rules, const AskingCrash& crash, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Apply(const AdmissionRule& rule, const AskingCrash& crash, absl::Time now, Ruling* ruling)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::optional<Refused> CheckLimits(const AskingCrash& crash, uint64_t bytes, uint64_t free_bytes,
                                     absl::Time now, DeviceState* device)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::optional<Refused> CheckDevice(DeviceState* device, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::optional<Refused> CheckFleet(uint64_t bytes, absl::Time now, DeviceState* device)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::optional<Refused> CheckInFlight(const DeviceId& name, uint64_t bytes, absl::Time now,
                                       DeviceState* device) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Refused SendAway(Refused refused, absl::Duration place, absl::Time now, DeviceState* device)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Refused Later(Refused refused, absl::Duration least, absl::Duration spread)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Duration CostOf(uint64_t bytes) const;

  const AdmissionLimits limits_;
  const Clock* const clock_;
  BytesInFlight in_flight_;
  DatabaseLoad database_;
  absl::Mutex mutex_;
  std::shared_ptr<const AdmissionRules> rules_ ABSL_GUARDED_BY(mutex_);
  DeviceTable devices_ ABSL_GUARDED_BY(mutex_);
  QuotaTable quotas_ ABSL_GUARDED_BY(mutex_);
  Pacer fleet_ ABSL_GUARDED_BY(mutex_);
  DiskWatermark disk_ ABSL_GUARDED_BY(mutex_);
  Jitter jitter_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_ADMISSION_ADMISSION_H_

#ifndef COREFLEET_SERVER_ADMISSION_REFUSAL_H_
#define COREFLEET_SERVER_ADMISSION_REFUSAL_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace corefleet {

// Why a device's call was not taken. Closed: each has its row in docs/admission.md, and its word there, in
// the status details, in the index's account and in the metrics' labels is the same.
enum class RefusalReason {
  kKillSwitch,
  kRule,
  kSampledOut,
  kQuota,
  kDeviceRate,
  kFleetRate,
  kBytesInFlight,
  kStoreFull,
  kDatabaseBusy,
  kServerBusy,
  kTooManyCalls,
  kCrashTooLarge,
  kMalformed,
  kWrongDevice,
};

absl::Span<const RefusalReason> AllRefusalReasons();

// The word of the status details: "KILL_SWITCH". Lives for ever.
absl::string_view RefusalReasonName(RefusalReason reason);
// The word of the account and of the labels: "kill_switch".
std::string RefusalReasonLabel(RefusalReason reason);

// A call that was not taken.
struct Refused {
  RefusalReason reason = RefusalReason::kMalformed;
  std::string message;                  // for a person
  std::string rule;                     // the operator's rule that decided; empty: none did
  std::string limit;                    // the flag that holds the limit, without dashes; empty: none does
  std::optional<absl::Duration> delay;  // what the server expects to need; none: for good
};

// What a call ends with: RESOURCE_EXHAUSTED with a delay; without one INVALID_ARGUMENT for what is
// malformed or too large, else PERMISSION_DENIED. The rim makes google.rpc details of what is attached.
absl::Status RefusedStatus(const Refused& refused);

// What RefusedStatus attached, without the message; none when nothing is.
std::optional<Refused> RefusedBy(const absl::Status& status);

}  // namespace corefleet

#endif  // COREFLEET_SERVER_ADMISSION_REFUSAL_H_

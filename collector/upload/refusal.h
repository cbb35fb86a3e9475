#ifndef COREFLEET_COLLECTOR_UPLOAD_REFUSAL_H_
#define COREFLEET_COLLECTOR_UPLOAD_REFUSAL_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace corefleet {

// No server, broken or hostile, keeps a device away for longer at a time.
inline constexpr absl::Duration kMaxServerDelay = absl::Hours(24);

// What a server said beyond the code and the text of a status that is not OK
// (proto/corefleet/v1/ingest.proto: the refusal contract). Travels as a payload of the absl::Status.
struct Refusal {
  std::string
      reason;  // out of docs/admission.md: upper-case letters, digits and _, at most 64; "" if none was given
  std::string rule;  // the operator's rule that decided, escaped, at most 128 bytes; "" if none did
  absl::Duration wait = absl::ZeroDuration();  // stay away for at least so long; 0 to kMaxServerDelay
  bool not_before_next_boot = false;           // the server asked not to be asked again

  friend bool operator==(const Refusal&, const Refusal&) = default;
};

// `status`, which is not OK, with `refusal` attached. What is out of range in it is cut to the range.
absl::Status WithRefusal(absl::Status status, Refusal refusal);

// What was attached; nothing said when nothing was.
Refusal RefusalOf(const absl::Status& status);

// True when a server refuses this very crash for good: PERMISSION_DENIED or INVALID_ARGUMENT, with one of the
// reasons that docs/admission.md calls final. Without one of them the same codes may come from a proxy, an
// expired certificate, a wrong configuration, a server of another age: there the crash is kept.
bool IsFinal(const absl::Status& status);

// True when it is this crash that has to wait, not the device.
bool IsAboutOneCrash(const Refusal& refusal);

// grpc-retry-pushback-ms, as it travels in a trailer: how long to stay away; negative, and what is no number,
// asks not to be asked again.
void ApplyPushback(absl::string_view milliseconds, Refusal* refusal);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_UPLOAD_REFUSAL_H_

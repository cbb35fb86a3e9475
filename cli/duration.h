#ifndef COREFLEET_CLI_DURATION_H_
#define COREFLEET_CLI_DURATION_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace corefleet {

// A time span as people type it: "90" (seconds), "90s", "15m", "2h", "3d", "1w". INVALID_ARGUMENT otherwise.
absl::StatusOr<absl::Duration> ParseDuration(absl::string_view text);

}  // namespace corefleet

#endif  // COREFLEET_CLI_DURATION_H_

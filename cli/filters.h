#ifndef COREFLEET_CLI_FILTERS_H_
#define COREFLEET_CLI_FILTERS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cli/arguments.h"
#include "corefleet/v1/archive.pb.h"

namespace corefleet {

// The options that choose crashes, of list and wait.
std::vector<Option> FilterOptions();
// What they say. INVALID_ARGUMENT, naming the option, for what cannot be.
absl::StatusOr<v1::CrashFilter> ParseFilter(const Arguments& arguments, absl::Time now);

// "2h", "3d", "1w", "90s" or "15m" ago; or "2026-11-23", "2026-11-23T14:05:00" (UTC) or RFC 3339 with its
// zone. INVALID_ARGUMENT otherwise.
absl::StatusOr<absl::Time> ParseWhen(absl::string_view text, absl::Time now);

}  // namespace corefleet

#endif  // COREFLEET_CLI_FILTERS_H_

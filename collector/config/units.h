#ifndef COREFLEET_COLLECTOR_CONFIG_UNITS_H_
#define COREFLEET_COLLECTOR_CONFIG_UNITS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace corefleet {

// "90s", "1.5h", "15m", "3d"; "0.1s". INVALID_ARGUMENT for anything else: a bare number would leave the unit
// to guess.
absl::StatusOr<absl::Duration> ParseSpan(absl::string_view text);
// "4096", "64k", "24M", "8G", "1T": units of 1024. INVALID_ARGUMENT if it is none or too large.
absl::StatusOr<uint64_t> ParseBytes(absl::string_view text);

// The shortest text that is read back as the same.
std::string FormatSpan(absl::Duration span);
std::string FormatBytes(uint64_t bytes);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_CONFIG_UNITS_H_

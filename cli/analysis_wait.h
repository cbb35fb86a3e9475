#ifndef COREFLEET_CLI_ANALYSIS_WAIT_H_
#define COREFLEET_CLI_ANALYSIS_WAIT_H_

#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "cli/archive_connection.h"
#include "corefleet/v1/crash.pb.h"

namespace corefleet {

// Asks `poll` again and again, soon at first and every second in the end, until it has a crash. A server that
// does not answer for a while is waited for as well. DEADLINE_EXCEEDED after `timeout`; any other status as
// `poll` said.
absl::StatusOr<v1::Crash> PollUntil(Clock* clock, absl::Duration timeout,
                                    const std::function<absl::StatusOr<std::optional<v1::Crash>>()>& poll);

// The crash once its facts are read; nullopt while they are not. With `may_come`, also while there is no such
// crash; else that is NOT_FOUND.
absl::StatusOr<std::optional<v1::Crash>> ReadCrash(const std::string& id, bool may_come,
                                                   ArchiveConnection* archive);

}  // namespace corefleet

#endif  // COREFLEET_CLI_ANALYSIS_WAIT_H_

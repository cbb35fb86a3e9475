#ifndef COREFLEET_CLI_EXIT_CODE_H_
#define COREFLEET_CLI_EXIT_CODE_H_

#include "absl/status/status.h"

namespace corefleet {

// What the programs end with. Scripts rely on the numbers.
enum ExitCode : int {
  kDone = 0,
  kNotFoundOrRefused = 1,
  kUsage = 2,
  kUnreachable = 3,
  kTimedOut = 124,
};

// What a call that failed with `code` makes of the program's end.
inline ExitCode ExitCodeFor(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return kDone;
    case absl::StatusCode::kInvalidArgument:
      return kUsage;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return kUnreachable;
    default:
      return kNotFoundOrRefused;
  }
}

}  // namespace corefleet

#endif  // COREFLEET_CLI_EXIT_CODE_H_

#include "cli/analysis_wait.h"

#include <algorithm>

#include "base/status_macros.h"

namespace corefleet {

absl::StatusOr<v1::Crash> PollUntil(Clock* clock, absl::Duration timeout,
                                    const std::function<absl::StatusOr<std::optional<v1::Crash>>()>& poll) {
  const absl::Time end = clock->Now() + timeout;
  absl::Duration pause = absl::Milliseconds(10);
  for (;;) {
    absl::StatusOr<std::optional<v1::Crash>> crash = poll();
    if (crash.ok() && crash->has_value()) return **std::move(crash);
    const absl::StatusCode code = crash.status().code();
    if (!crash.ok() && code != absl::StatusCode::kUnavailable &&
        code != absl::StatusCode::kDeadlineExceeded) {
      return crash.status();
    }
    const absl::Duration left = end - clock->Now();
    if (left <= absl::ZeroDuration()) return absl::DeadlineExceededError("timed out");
    clock->Sleep(std::min(pause, left));
    pause = std::min(pause * 1.5, absl::Seconds(1));
  }
}

absl::StatusOr<std::optional<v1::Crash>> ReadCrash(const std::string& id, bool may_come,
                                                   ArchiveConnection* archive) {
  absl::StatusOr<v1::Crash> crash = archive->GetCrash(id);
  if (may_come && absl::IsNotFound(crash.status())) return std::optional<v1::Crash>();
  RETURN_IF_ERROR(crash.status());
  if (crash->state() == v1::Crash::RECEIVED) return std::optional<v1::Crash>();
  return std::optional<v1::Crash>(*std::move(crash));
}

}  // namespace corefleet

#include "server/watchdog/descriptor_limit.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/log.h"

namespace corefleet {
namespace {

// The server itself, idle, with its database connections.
constexpr int kLeast = 128;
// A fleet's connections do not fit below.
constexpr int kFew = 4096;

int Clamped(rlim_t limit) {
  return static_cast<int>(std::min<rlim_t>(limit, std::numeric_limits<int>::max()));
}

}  // namespace

absl::StatusOr<int> RaiseDescriptorLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return absl::ErrnoToStatus(errno, "no limit of descriptors is known");
  rlimit raised = limit;
  raised.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  const int descriptors = Clamped(limit.rlim_cur);
  if (descriptors < kLeast) {
    return absl::FailedPreconditionError(
        absl::StrCat("this process may open ", descriptors, " files and connections, and needs ", kLeast,
                     " at least; raise the hard limit (ulimit -Hn, LimitNOFILE= in systemd)"));
  }
  const std::string shown = std::to_string(descriptors);
  if (descriptors < kFew) {
    Log(LogLevel::kWarning, "few descriptors for a fleet; raise the hard limit (LimitNOFILE= in systemd)",
        {{"limit", shown}});
  } else {
    Log(LogLevel::kInfo, "descriptors", {{"limit", shown}});
  }
  return descriptors;
}

DescriptorShares ShareDescriptors(int limit) {
  const int own = std::clamp(limit / 16, 48, 1024);
  const int engineers = std::clamp(limit / 32, 8, 256);
  return {.ingest_below = limit - own - engineers, .archive_below = limit - own};
}

}  // namespace corefleet

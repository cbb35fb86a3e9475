#include "collector/source/change_notice.h"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>

namespace corefleet {

ChangeNotice::ChangeNotice() : inotify_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {}

bool ChangeNotice::Watch(const std::vector<std::string>& folders) {
  constexpr uint32_t kEvents =
      IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_ONLYDIR;
  bool all = inotify_.valid();
  // Adding a watch that is there already changes nothing.
  for (const std::string& folder : folders)
    all = inotify_add_watch(inotify_.get(), folder.c_str(), kEvents) >= 0 && all;
  return all;
}

void ChangeNotice::Wait(absl::Duration timeout) {
  pollfd waiting{.fd = inotify_.get(), .events = POLLIN, .revents = 0};
  const int64_t milliseconds = std::clamp<int64_t>(absl::ToInt64Milliseconds(timeout), 1, 3600 * 1000);
  poll(&waiting, inotify_.valid() ? 1 : 0, static_cast<int>(milliseconds));
  Take();
}

bool ChangeNotice::Take() {
  // What happened does not matter, only that something did.
  alignas(inotify_event) char events[4096];
  bool changed = false;
  while (inotify_.valid() && read(inotify_.get(), events, sizeof(events)) > 0) changed = true;
  return changed;
}

}  // namespace corefleet

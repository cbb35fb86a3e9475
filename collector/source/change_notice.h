#ifndef COREFLEET_COLLECTOR_SOURCE_CHANGE_NOTICE_H_
#define COREFLEET_COLLECTOR_SOURCE_CHANGE_NOTICE_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "collector/source/file_bytes.h"
#include "collector/source/source_schedule.h"

namespace corefleet {

// Sleeps until something changes in some folders (inotify). A hint only: it may miss changes on network file
// systems, and may wake up for nothing. One thread at a time.
class ChangeNotice final : public WakeSource {
 public:
  ChangeNotice();

  // Names the folders to watch; those named before stay. True when the kernel watches all of them.
  bool Watch(const std::vector<std::string>& folders);
  // Returns when something changed, or after `timeout`.
  void Wait(absl::Duration timeout);

  int descriptor() const override { return inotify_.get(); }
  bool Take() override;

 private:
  OwnedFd inotify_;
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SOURCE_CHANGE_NOTICE_H_

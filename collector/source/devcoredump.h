#ifndef COREFLEET_COLLECTOR_SOURCE_DEVCOREDUMP_H_
#define COREFLEET_COLLECTOR_SOURCE_DEVCOREDUMP_H_

#include "collector/source/source_adapter.h"

namespace corefleet {

// /sys/class/devcoredump: a folder devcdN with a file `data` for each dump that a driver handed to the
// kernel, which keeps it for five minutes. Also one such folder. The file says nothing of its size; it is
// read at once and to its end.
class DevcoredumpAdapter final : public SourceAdapter {
 public:
  absl::string_view name() const override { return "devcoredump"; }
  std::vector<CrashLocation> FindIn(Folder* folder) const override;
  bool TakesFile(const std::string&, Format) const override { return false; }
  absl::StatusOr<FoundCrash> Open(const CrashLocation& where) const override;
  // Tells the kernel that the dump may go. Only in sysfs.
  absl::Status Release(const CrashLocation& where) const override;
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SOURCE_DEVCOREDUMP_H_

#ifndef COREFLEET_COLLECTOR_SOURCE_PSTORE_FOLDER_H_
#define COREFLEET_COLLECTOR_SOURCE_PSTORE_FOLDER_H_

#include "collector/source/source_adapter.h"

namespace corefleet {

// /sys/fs/pstore, or a copy of it, such as systemd-pstore's archive: the files that one death left are one
// crash (core/pstore/grouping.h). What the kernel itself shows is read at once and to its end.
class PstoreFolderAdapter final : public SourceAdapter {
 public:
  absl::string_view name() const override { return "pstore"; }
  std::vector<CrashLocation> FindIn(Folder* folder) const override;
  bool TakesFile(const std::string& name, Format format) const override;
  absl::StatusOr<FoundCrash> Open(const CrashLocation& where) const override;
  // Removes the records, which is how pstore gets its room back. Only in the kernel's own pstore file system.
  absl::Status Release(const CrashLocation& where) const override;
};

// Removes `files` of the folder; one that is gone already is no error.
absl::Status RemoveFiles(int folder, const std::vector<std::string>& files);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SOURCE_PSTORE_FOLDER_H_

#ifndef COREFLEET_COLLECTOR_SOURCE_DUMP_FILE_H_
#define COREFLEET_COLLECTOR_SOURCE_DUMP_FILE_H_

#include "collector/source/source_adapter.h"

namespace corefleet {

// What kdump leaves: an ELF vmcore, makedumpfile's compressed format, either of them flattened. In a folder,
// the parts of one split dump are one crash, and the log that was saved beside a dump goes with it
// (vmcore-dmesg.txt, dmesg.STAMP).
class DumpFileAdapter final : public SourceAdapter {
 public:
  absl::string_view name() const override { return "kdump"; }
  std::vector<CrashLocation> FindIn(Folder* folder) const override;
  bool TakesFile(const std::string& name, Format format) const override;
  absl::StatusOr<FoundCrash> Open(const CrashLocation& where) const override;
};

// True when `text` is what tools call the log beside a dump of the name `dump`.
bool IsLogBeside(absl::string_view text, absl::string_view dump);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SOURCE_DUMP_FILE_H_

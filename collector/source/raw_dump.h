#ifndef COREFLEET_COLLECTOR_SOURCE_RAW_DUMP_H_
#define COREFLEET_COLLECTOR_SOURCE_RAW_DUMP_H_

#include "collector/source/source_adapter.h"

namespace corefleet {

// A Raw_Dmp! container: a partition that boot firmware wrote, or an image of one. Only the dump's own bytes
// are taken, not the rest of the partition; a mark that says that somebody collected it before is put back to
// the firmware's own, so that it is the crash it was (core/minidump/raw_dump.h). The device is not written
// to.
class RawDumpAdapter final : public SourceAdapter {
 public:
  absl::string_view name() const override { return "Raw_Dmp! container"; }
  std::vector<CrashLocation> FindIn(Folder* folder) const override;
  bool TakesFile(const std::string& name, Format format) const override;
  absl::StatusOr<FoundCrash> Open(const CrashLocation& where) const override;
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SOURCE_RAW_DUMP_H_

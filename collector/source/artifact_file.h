#ifndef COREFLEET_COLLECTOR_SOURCE_ARTIFACT_FILE_H_
#define COREFLEET_COLLECTOR_SOURCE_ARTIFACT_FILE_H_

#include "collector/source/source_adapter.h"

namespace corefleet {

// One file that is one crash: a QAIC blob, a co-processor's dump, a core that a tool put together, a Debug
// Kinfo area, an image of a ramoops area, a kernel log as text. A file that the operator names is taken
// whatever it is; what is of no known kind is kept as it is, and said to be so.
class ArtifactFileAdapter final : public SourceAdapter {
 public:
  absl::string_view name() const override { return "file"; }
  std::vector<CrashLocation> FindIn(Folder* folder) const override;
  bool TakesFile(const std::string&, Format) const override { return true; }
  absl::StatusOr<FoundCrash> Open(const CrashLocation& where) const override;
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SOURCE_ARTIFACT_FILE_H_

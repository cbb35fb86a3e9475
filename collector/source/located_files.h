#ifndef COREFLEET_COLLECTOR_SOURCE_LOCATED_FILES_H_
#define COREFLEET_COLLECTOR_SOURCE_LOCATED_FILES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/source/source_adapter.h"
#include "core/crash/region_set.h"

namespace corefleet {

// The location of `files` (sorted) in `folder`.
CrashLocation LocationIn(const Folder& folder, const SourceAdapter* adapter, std::vector<std::string> files);

// An artifact: a file as it was found.
Region ArtifactOf(const std::string& name, std::shared_ptr<const ByteSource> bytes);

// The files of a location, in its order, each an artifact. A file that vanished is UNAVAILABLE: without it,
// it would be another crash. Other codes: as SourceAdapter::Open's; INVALID_ARGUMENT for an empty file that
// the operator named.
absl::StatusOr<std::vector<Region>> OpenArtifacts(const CrashLocation& where);

// A crash of just these files, as they are.
absl::StatusOr<FoundCrash> OpenAsArtifacts(const CrashLocation& where);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SOURCE_LOCATED_FILES_H_

#include "collector/source/located_files.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "core/bytes/escape.h"

namespace corefleet {
namespace {

absl::StatusOr<std::vector<Region>> OpenRoot(const std::string& path) {
  ASSIGN_OR_RETURN(const NamedFile file, OpenNamedFile(path));
  if (file.bytes->size() == 0)
    return absl::InvalidArgumentError(absl::StrCat(EscapeForTerminal(path), ": is empty"));
  return std::vector<Region>{ArtifactOf(file.name, file.bytes)};
}

}  // namespace

std::string CrashLocation::path() const {
  std::string path = root;
  for (const std::string& name : below) absl::StrAppend(&path, absl::EndsWith(path, "/") ? "" : "/", name);
  if (!files.empty()) absl::StrAppend(&path, absl::EndsWith(path, "/") ? "" : "/", files.front());
  return path;
}

CrashLocation LocationIn(const Folder& folder, const SourceAdapter* adapter, std::vector<std::string> files) {
  return {.adapter = adapter, .root = folder.root(), .below = folder.below(), .files = std::move(files)};
}

Region ArtifactOf(const std::string& name, std::shared_ptr<const ByteSource> bytes) {
  Region region;
  region.kind = RegionKind::kArtifact;
  region.file_name = name;
  region.bytes = std::move(bytes);
  return region;
}

absl::StatusOr<std::vector<Region>> OpenArtifacts(const CrashLocation& where) {
  if (where.root_is_file) return OpenRoot(where.root);
  ASSIGN_OR_RETURN(const Folder folder, Folder::Open(where.root, where.below));
  std::vector<Region> regions;
  for (const std::string& name : where.files) {
    absl::StatusOr<std::shared_ptr<const FileBytes>> bytes = FileBytes::OpenAt(folder.fd(), name);
    if (absl::IsNotFound(bytes.status())) {
      return absl::UnavailableError(absl::StrCat(EscapeForTerminal(name), ": vanished meanwhile"));
    }
    RETURN_IF_ERROR(bytes.status());
    regions.push_back(ArtifactOf(name, *std::move(bytes)));
  }
  return regions;
}

absl::StatusOr<FoundCrash> OpenAsArtifacts(const CrashLocation& where) {
  FoundCrash crash{.path = where.path()};
  ASSIGN_OR_RETURN(crash.regions.regions, OpenArtifacts(where));
  return crash;
}

}  // namespace corefleet

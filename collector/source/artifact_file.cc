#include "collector/source/artifact_file.h"

#include "absl/strings/match.h"
#include "base/status_macros.h"
#include "collector/source/located_files.h"
#include "core/unpack/recognise.h"

namespace corefleet {
namespace {

// The log of the kernel that saved a dump, which is not the one that died.
constexpr absl::string_view kSaversLog = "kexec-dmesg";

bool IsCrashOfItsOwn(Format format, const std::string& name) {
  switch (format) {
    case Format::kQaic:
    case Format::kAssembled:
    case Format::kCoprocessor:
    case Format::kKinfo:
    case Format::kRamoops:
      return true;
    case Format::kLogText:
      return !absl::StartsWith(name, kSaversLog);
    default:
      return false;
  }
}

}  // namespace

std::vector<CrashLocation> ArtifactFileAdapter::FindIn(Folder* folder) const {
  std::vector<CrashLocation> found;
  for (size_t i = 0; i < folder->entries().size(); ++i) {
    const std::string& name = folder->entries()[i].name;
    if (folder->claimed(i) || !IsCrashOfItsOwn(folder->FormatOf(i), name)) continue;
    folder->Claim(i);
    found.push_back(LocationIn(*folder, this, {name}));
  }
  return found;
}

absl::StatusOr<FoundCrash> ArtifactFileAdapter::Open(const CrashLocation& where) const {
  ASSIGN_OR_RETURN(FoundCrash crash, OpenAsArtifacts(where));
  for (const Region& region : crash.regions.regions) {
    const std::vector<uint8_t> head = HeadOf(*region.bytes);
    if (Recognise(region.file_name, head, region.bytes->size()) == Format::kUnknown)
      crash.notes.push_back("of no known kind; it is kept as it is");
  }
  return crash;
}

}  // namespace corefleet

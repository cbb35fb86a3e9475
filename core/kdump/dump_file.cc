#include "core/kdump/dump_file.h"

#include "absl/strings/str_cat.h"
#include "core/bytes/escape.h"
#include "core/kdump/flattened.h"

namespace corefleet {

std::optional<DumpFile> OpenDumpFile(const Artifact& artifact, Pieces* out) {
  DumpFile file{artifact.received, EscapeForTerminal(artifact.file_name), artifact.bytes};
  if (!LooksLikeFlattened(artifact.head)) return file;
  const absl::StatusOr<Unflattened> stream = Unflatten(artifact.bytes);
  if (!stream.ok()) {
    const bool other = absl::IsUnimplemented(stream.status());
    out->defects.push_back({other ? DefectCode::kUnsupported : DefectCode::kContainerDamaged, file.name,
                            EscapeForTerminal(stream.status().message())});
    return std::nullopt;
  }
  if (!stream->cut.empty()) {
    out->defects.push_back({DefectCode::kDumpIncomplete, file.name, stream->cut});
  }
  file.bytes = stream->bytes;
  return file;
}

}  // namespace corefleet

#ifndef COREFLEET_CORE_EXPORT_ARTIFACT_H_
#define COREFLEET_CORE_EXPORT_ARTIFACT_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/bytes/byte_source.h"
#include "core/crash/region_set.h"
#include "core/reassembly/core_image.h"

namespace corefleet {

// A file that can be made from a crash.
enum class ArtifactKind {
  // The default: opens in stock crash, gdb, drgn and vmcore-dmesg; holes fault. A crash that came as an ELF
  // vmcore gives that very file back, without the flattened form around it.
  kCore,
  kZero,    // as kCore, with the holes around regions covered by zero-length loads that read as zeros
  kConcat,  // what concatenating the files by hand gives for a complete set; what is missing is zeros in its
            // place
  kRaw,     // everything as received, in one tar archive
  kVmcoreinfo,  // the VMCOREINFO text
  kConfig,      // the kernel's configuration, inflated
  kLog,         // the kernel log, RenderRaw's form
  kKdump,       // a dump in makedumpfile's format, of whole pages by physical address
};

// "core", "zero", "concat", "raw", "vmcoreinfo", "config", "log", "kdump"; and back. nullopt for any other
// word.
absl::string_view ArtifactName(ArtifactKind kind);
std::optional<ArtifactKind> ParseArtifactKind(absl::string_view name);

// Plans the artifact: the result knows its size and reads any range of it on demand, straight from the
// regions. Deterministic: the same crash gives the same bytes for ever. Keeps alive what it needs of `image`
// and `set`.
//   NOT_FOUND            the crash does not have it (no config region, no log, nothing placed for a core)
//   FAILED_PRECONDITION  the image cannot be written in this form; the message says why
absl::StatusOr<std::shared_ptr<const ByteSource>> MakeArtifact(ArtifactKind kind, const CoreImage& image,
                                                               const RegionSet& set);

}  // namespace corefleet

#endif  // COREFLEET_CORE_EXPORT_ARTIFACT_H_

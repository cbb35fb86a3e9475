#ifndef COREFLEET_CORE_EXPORT_CORE_FILE_H_
#define COREFLEET_CORE_EXPORT_CORE_FILE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "core/bytes/byte_source.h"
#include "core/reassembly/core_image.h"

namespace corefleet {

// What memory between the regions reads as.
enum class Holes {
  kFault,  // "cannot access memory": what a reader should see, and what vmcore-dmesg needs
  kZero,   // zeros, by loads without file bytes
};

// Plans an ELF core that stock crash, gdb, drgn and vmcore-dmesg open (docs/formats/core-file.md has the why
// of each rule). Codes: MakeArtifact's.
absl::StatusOr<std::shared_ptr<const ByteSource>> MakeCoreFile(const CoreImage& image, Holes holes);

// The notes of such a core: NT_PRSTATUS of zeros, NT_PRPSINFO, VMCOREINFO. Always made anew: the device's own
// may have been overwritten. Codes: ReadAt's.
absl::StatusOr<std::vector<uint8_t>> MakeNotes(const CoreImage& image);

// True when a reader must be told that something is missing.
bool IsIncomplete(const CoreImage& image);

// Plans the concatenation: header region, VMCOREINFO, loads in program header order. What is missing is
// zeros.
absl::StatusOr<std::shared_ptr<const ByteSource>> MakeConcatenation(const CoreImage& image);

}  // namespace corefleet

#endif  // COREFLEET_CORE_EXPORT_CORE_FILE_H_

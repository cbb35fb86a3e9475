#ifndef COREFLEET_CORE_KDUMP_DUMP_FILE_H_
#define COREFLEET_CORE_KDUMP_DUMP_FILE_H_

#include <memory>
#include <optional>
#include <string>

#include "core/unpack/pieces.h"

namespace corefleet {

// A dump as its writer would have put it on a disk: without the flattened form around it.
struct DumpFile {
  uint32_t received = 0;                    // index into the received set
  std::string name;                         // escaped
  std::shared_ptr<const ByteSource> bytes;  // never null
};

// Takes the flattened form off, if it has it. nullopt, with a defect, when that cannot be read. A stream that
// is cut gives what there is, and a defect.
std::optional<DumpFile> OpenDumpFile(const Artifact& artifact, Pieces* out);

}  // namespace corefleet

#endif  // COREFLEET_CORE_KDUMP_DUMP_FILE_H_

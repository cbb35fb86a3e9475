#ifndef COREFLEET_CORE_MINIDUMP_SAVED_SECTION_H_
#define COREFLEET_CORE_MINIDUMP_SAVED_SECTION_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "core/unpack/pieces.h"

namespace corefleet {

// One region inside of a container that firmware wrote: bytes of it, under the name of the file that a tool
// would make of them.
struct SavedSection {
  std::string name;     // untrusted bytes, perhaps empty
  uint64_t offset = 0;  // in the container
  uint64_t size = 0;    // bytes that belong to it
  uint64_t here = 0;    // of which the container has so many, from the start
  bool is_memory = false;
  std::optional<uint64_t> base;  // physical address
};

// True for `md_NAME.BIN`, in any case: a minidump region, of Linux or of another processor.
bool IsRegionName(absl::string_view name);
// True for what the firmware puts between the memory to say where it belongs: load.cmm, dump_info.txt,
// minidump_toc.bin.
bool IsTableName(absl::string_view name);

// Memory (by what the section is, or by its name) becomes a region that is a window of the container;
// everything else an artifact, for its content to tell what it is.
void TakeSection(const Artifact& container, const SavedSection& section, Pieces* out);

}  // namespace corefleet

#endif  // COREFLEET_CORE_MINIDUMP_SAVED_SECTION_H_

#ifndef COREFLEET_CORE_MEMINSPECT_NAMES_H_
#define COREFLEET_CORE_MEMINSPECT_NAMES_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace corefleet {

struct RegionFileName {
  std::string name;            // "Kprb_info"; untrusted bytes
  std::optional<uint32_t> id;  // 1 to 200
};

// Reads what the name of a region's file says: `md_NAMEid.BIN`, or `md_VM_NAMEid.BIN` with hex digits for the
// virtual machine; any case, folders before it ignored. NAME starts with a K. nullopt when it is no such
// name.
//
// Only a hint: names are cut at eight letters, so where the name ends and the id begins is a guess if the
// name ends in digits itself. The guess is a name that the driver uses, else the most digits (at most three)
// that make an id.
std::optional<RegionFileName> ParseRegionFileName(absl::string_view file_name);

}  // namespace corefleet

#endif  // COREFLEET_CORE_MEMINSPECT_NAMES_H_

#ifndef COREFLEET_SERVER_ARCHIVE_REGION_CHOICE_H_
#define COREFLEET_SERVER_ARCHIVE_REGION_CHOICE_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/crash/region_set.h"
#include "core/reassembly/core_image.h"

namespace corefleet {

// The index in `set` of the region that `wanted` names: by its file name as received; else by its name; else
// by name and id together ("Kprb_info 24"); else by its id. Both what the device said and what reassembly
// found out is tried.
//   NOT_FOUND            there is none, or nothing was received for it
//   FAILED_PRECONDITION  several fit equally; the text lists them
absl::StatusOr<uint32_t> ChooseRegion(absl::string_view wanted, const CoreImage& image, const RegionSet& set);

}  // namespace corefleet

#endif  // COREFLEET_SERVER_ARCHIVE_REGION_CHOICE_H_

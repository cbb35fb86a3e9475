#ifndef COREFLEET_SERVER_ADMISSION_GLOB_H_
#define COREFLEET_SERVER_ADMISSION_GLOB_H_

#include "absl/strings/string_view.h"

namespace corefleet {

// True when all of `text` fits `pattern`, in which * stands for any bytes, also none, and ? for any one byte.
// Every other byte stands for itself. At most pattern times text steps.
bool GlobFits(absl::string_view pattern, absl::string_view text);

}  // namespace corefleet

#endif  // COREFLEET_SERVER_ADMISSION_GLOB_H_

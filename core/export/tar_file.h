#ifndef COREFLEET_CORE_EXPORT_TAR_FILE_H_
#define COREFLEET_CORE_EXPORT_TAR_FILE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/bytes/byte_source.h"
#include "core/crash/region_set.h"

namespace corefleet {

// A file name that is safe in any folder: printable ASCII without separators, not empty, not a dot, at most
// 90 bytes. Every other byte becomes '_'.
std::string SafeFileName(absl::string_view untrusted);

// Plans a tar archive (POSIX.1-1988 ustar) of every region as it was received, by name; owner 0, time 0, so
// the same set gives the same bytes in whatever order it arrived. FAILED_PRECONDITION for a region of 8 GiB
// or more.
absl::StatusOr<std::shared_ptr<const ByteSource>> MakeTarFile(const RegionSet& set);

}  // namespace corefleet

#endif  // COREFLEET_CORE_EXPORT_TAR_FILE_H_

#ifndef COREFLEET_COLLECTOR_SOURCE_CAPTURED_BYTES_H_
#define COREFLEET_COLLECTOR_SOURCE_CAPTURED_BYTES_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/bytes/byte_source.h"

namespace corefleet {

// Reads the file `name`, one component, in the folder behind `folder` to its end, at once: files that the
// kernel makes up while they are read say nothing true about their size, cannot be read at any place, and may
// be gone a moment later. Holds at most 1 MiB in memory; what is more goes to an unnamed file in $TMPDIR, or
// /var/tmp.
//   NOT_FOUND            it is gone
//   FAILED_PRECONDITION  it is no regular file
//   INVALID_ARGUMENT     it has more than `limit` bytes
//   PERMISSION_DENIED, RESOURCE_EXHAUSTED (also: no room for the temporary file), UNAVAILABLE
absl::StatusOr<std::shared_ptr<const ByteSource>> CaptureAt(int folder, const std::string& name,
                                                            uint64_t limit);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SOURCE_CAPTURED_BYTES_H_

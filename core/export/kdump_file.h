#ifndef COREFLEET_CORE_EXPORT_KDUMP_FILE_H_
#define COREFLEET_CORE_EXPORT_KDUMP_FILE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "core/bytes/byte_source.h"
#include "core/reassembly/core_image.h"

namespace corefleet {

// Plans a dump in makedumpfile's compressed format, which crash, makedumpfile and libkdumpfile read. A crash
// that came in that format gives its own file back. Of another every page of the kernel's page size with any
// byte of a segment is written, with zeros where the page has no bytes: the format knows only whole pages,
// and only physical addresses. Pages are not compressed, so that a range of the file can be read without the
// ones before it, and the same crash gives the same bytes whatever library is installed. Memory: proportional
// to the number of segments. Codes: MakeArtifact's.
absl::StatusOr<std::shared_ptr<const ByteSource>> MakeKdumpFile(const CoreImage& image);

}  // namespace corefleet

#endif  // COREFLEET_CORE_EXPORT_KDUMP_FILE_H_

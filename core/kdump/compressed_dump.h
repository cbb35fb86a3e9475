#ifndef COREFLEET_CORE_KDUMP_COMPRESSED_DUMP_H_
#define COREFLEET_CORE_KDUMP_COMPRESSED_DUMP_H_

#include <vector>

#include "core/kdump/dump_file.h"

namespace corefleet {

// Dumps in makedumpfile's compressed format: what their headers say, and their memory through `opener`, if it
// is given and can. Parts of a split dump are put together by kernel, time and page frames. Of several dumps
// the largest is read.
void UnpackCompressed(std::vector<DumpFile> files, const DumpOpener* opener, Pieces* out);

}  // namespace corefleet

#endif  // COREFLEET_CORE_KDUMP_COMPRESSED_DUMP_H_

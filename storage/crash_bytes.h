#ifndef COREFLEET_STORAGE_CRASH_BYTES_H_
#define COREFLEET_STORAGE_CRASH_BYTES_H_

#include <vector>

#include "core/manifest/manifest.h"
#include "storage/crash_index.h"

namespace corefleet {

// How large a crash is of which `packs` are stored. A chunk that several packs hold is here once.
CrashBytes SizeOf(const Manifest& manifest, const std::vector<StoredPack>& packs);

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_CRASH_BYTES_H_

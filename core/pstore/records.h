#ifndef COREFLEET_CORE_PSTORE_RECORDS_H_
#define COREFLEET_CORE_PSTORE_RECORDS_H_

#include <string>

#include "core/unpack/pieces.h"

namespace corefleet {

// Files as /sys/fs/pstore shows them, and as systemd-pstore archives them. Source: docs/formats/pstore.md.
bool LooksLikePstoreFile(const std::string& name, ByteView head);
// Puts multi-part records together and inflates what is still compressed: one text a record, the newest dump
// first.
void UnpackPstoreRecords(const std::vector<Artifact>& files, const DumpOpener* opener, Pieces* out);

}  // namespace corefleet

#endif  // COREFLEET_CORE_PSTORE_RECORDS_H_

#ifndef COREFLEET_COLLECTOR_SPOOL_TRANSFER_H_
#define COREFLEET_COLLECTOR_SPOOL_TRANSFER_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collector/spool/spool.h"

namespace corefleet {

// For devices without a network: entries leave the spool as files on a stick, and enter another spool on a
// host that has one.

// Copies an entry into `folder` as UID.crash, syncs it, reads it back past the page cache where that can be
// had, and checks every chunk against its digest. OK: it is there, whole. Only then may the entry be removed
// (Spool::Sent). A copy of the same crash that is there already and is whole is left.
//   NOT_FOUND           no such entry, or no such folder
//   RESOURCE_EXHAUSTED  no room there
//   DATA_LOSS           the spool's copy is damaged, or the stick gives other bytes than it was given
//   PERMISSION_DENIED, FAILED_PRECONDITION, UNAVAILABLE  as the system said
absl::StatusOr<std::string> ExportEntry(Spool* spool, SpoolId id, const std::string& folder);

// Takes a file that ExportEntry made (or an entry out of a spool's folder) into `spool`, with the device's
// name, clues, note and boot that it has. The file is hostile: every byte of it is checked, and it is written
// anew. `device` is put down where it names none; one of the two must.
//   DATA_LOSS         it is no entry, or damaged
//   INVALID_ARGUMENT  it cannot be sent: a device's name that is none, a manifest that is none
//   NOT_FOUND, PERMISSION_DENIED, FAILED_PRECONDITION  OpenNamedFile's
//   the others        Spool::PutEncoded's
absl::StatusOr<PutResult> ImportFile(Spool* spool, const std::string& path, const DeviceId& device);

// The files in a folder that look like entries by their names, sorted. NOT_FOUND, PERMISSION_DENIED,
// UNAVAILABLE.
absl::StatusOr<std::vector<std::string>> ExportedFiles(const std::string& folder);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SPOOL_TRANSFER_H_

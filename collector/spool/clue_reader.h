#ifndef COREFLEET_COLLECTOR_SPOOL_CLUE_READER_H_
#define COREFLEET_COLLECTOR_SPOOL_CLUE_READER_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "collector/spool/outgoing_crash.h"
#include "collector/spool/spool_folder.h"

namespace corefleet {

struct ClueLimits {
  absl::Duration patience = absl::Seconds(60);  // until the child is killed
  uint32_t processor_seconds = 30;
  uint64_t memory_bytes = uint64_t{256} << 20;  // of address space
};

// Looks into a spooled entry for the build id, the release and the panic's first line. A crash is hostile,
// and the parsers are large: they run in a child process, `program` started as itself with a hidden argument
// (MaybeRunClueReader must be the first thing that its main calls), which may do nothing but read the entry
// and answer. Only these three clues are set. Blocks until the child is gone.
//   DATA_LOSS    the child died of it, or took too long: do not try again
//   NOT_FOUND    it found nothing
//   UNAVAILABLE  no process could be started
absl::StatusOr<CrashClues> ReadClues(const SpoolBytes& entry, const ClueLimits& limits = {},
                                     const std::string& program = "/proc/self/exe");

// The other life of a program that reads clues. main() calls this before anything else: returns at once
// unless the hidden argument is there; otherwise reads, answers, and never returns.
void MaybeRunClueReader(int argc, char** argv);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SPOOL_CLUE_READER_H_

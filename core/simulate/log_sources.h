#ifndef COREFLEET_CORE_SIMULATE_LOG_SOURCES_H_
#define COREFLEET_CORE_SIMULATE_LOG_SOURCES_H_

#include <vector>

#include "core/simulate/simulate.h"

namespace corefleet {

// Crashes of which only the log is left. All of these give `readable` what of `log` is in the files.

// A dump of /sys/fs/pstore that EFI variables (compressed by the kernel, shown as it is: in small parts) or
// an ERST keep: the end of the log, in parts.
std::vector<SimulatedFile> WriteEfiRecords(const std::vector<LogRecord>& log, uint64_t seconds,
                                           std::vector<LogRecord>* readable);
std::vector<SimulatedFile> WriteErstRecords(const std::vector<LogRecord>& log, uint64_t seconds,
                                            std::vector<LogRecord>* readable);
// A ramoops area as /sys/fs/pstore shows it. `panicked` is false when the machine just stopped: then there is
// only what was on the console.
std::vector<SimulatedFile> WriteRamoopsRecords(const std::vector<LogRecord>& log, bool panicked,
                                               std::vector<LogRecord>* readable);
// The area itself: raw zones with error correction.
std::vector<SimulatedFile> WriteRamoopsArea(const std::vector<LogRecord>& log, bool panicked,
                                            std::vector<LogRecord>* readable);

}  // namespace corefleet

#endif  // COREFLEET_CORE_SIMULATE_LOG_SOURCES_H_

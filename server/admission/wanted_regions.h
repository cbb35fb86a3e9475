#ifndef COREFLEET_SERVER_ADMISSION_WANTED_REGIONS_H_
#define COREFLEET_SERVER_ADMISSION_WANTED_REGIONS_H_

#include <cstdint>
#include <vector>

#include "core/manifest/manifest.h"
#include "storage/crash_index.h"

namespace corefleet {

// Which regions of a crash are wanted, one entry a region. A pure function of its arguments, so that every
// server says the same of a session, at any time.
//
// Of the log alone: the log ring's and the log buffer's memory, what leads to them and what names the build
// (ELF header, vmcoreinfo, the banner, the names of the running system, the taint mask, the address tables),
// and files that are a kernel log by their name. Names and ids are the device's words: a region that lies
// about its name costs what it would have cost anyway, or is not asked for. Without any log to be seen
// everything is wanted.
std::vector<bool> WantedRegions(const Manifest& manifest, SessionWant want);

// Whether the log can be asked for alone.
enum class LogPart {
  kUnknown,  // nothing in it can be told to be a log: it comes whole or not at all
  kSome,     // regions that are wanted with the log, and others
  kAll,      // it is a log and nothing else
};
LogPart LogPartOf(const Manifest& manifest);

}  // namespace corefleet

#endif  // COREFLEET_SERVER_ADMISSION_WANTED_REGIONS_H_

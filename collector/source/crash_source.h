#ifndef COREFLEET_COLLECTOR_SOURCE_CRASH_SOURCE_H_
#define COREFLEET_COLLECTOR_SOURCE_CRASH_SOURCE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/crash/region_set.h"

namespace corefleet {

// What a source found of one crash.
struct FoundCrash {
  // Where it lies, as its finder may name it to a person. Untrusted bytes below the part that the operator
  // gave.
  std::string path;
  RegionSet regions;
  // What lay beside the regions and was not taken although it looked like one, each with the reason. Escaped,
  // one line.
  std::vector<std::string> skipped;
};

// Takes crashes from a source.
class CrashSink {
 public:
  virtual ~CrashSink() = default;
  // OK: the crash is safe elsewhere, and the device's own copy may go. Any other status: it must stay, and
  // will be offered again.
  virtual absl::Status Accept(const FoundCrash& crash) = 0;
};

// One way in which a device keeps what is left of a crash: a folder that a download tool filled, a partition,
// pstore. One thread at a time.
class CrashSource {
 public:
  virtual ~CrashSource() = default;
  virtual absl::string_view name() const = 0;
  // Hands every waiting crash to `sink`. One that cannot be read or is not accepted does not stop the others;
  // the first such status is returned.
  virtual absl::Status Drain(CrashSink& sink) = 0;
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SOURCE_CRASH_SOURCE_H_

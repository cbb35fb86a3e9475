#ifndef COREFLEET_COLLECTOR_SOURCE_CRASH_SOURCE_H_
#define COREFLEET_COLLECTOR_SOURCE_CRASH_SOURCE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/crash/region_set.h"

namespace corefleet {

// What a source found of one crash.
struct FoundCrash {
  // Where it lies, as its finder may name it to a person. Untrusted bytes below the part that the operator
  // gave.
  std::string path;
  RegionSet regions;
  std::string source;  // the adapter's name; set by OpenCrash
  // What lay beside the regions and was not taken although it looked like one, each with the reason. Escaped,
  // one line.
  std::vector<std::string> skipped;
  // What a person should know about how it was taken. Escaped, one line each.
  std::vector<std::string> notes;
};

// What became of a crash that a sink took.
enum class Fate {
  kSafe,     // durable elsewhere: the device's own copy may go
  kRefused,  // nobody will ever take it as it is: it stays, and need not be offered again
};

// Takes crashes from a source.
class CrashSink {
 public:
  virtual ~CrashSink() = default;
  // Any status but OK: the crash must stay, and will be offered again.
  virtual absl::StatusOr<Fate> Accept(const FoundCrash& crash) = 0;
};

// Where crashes come from. One thread at a time.
class CrashSource {
 public:
  virtual ~CrashSource() = default;
  // Hands every waiting crash to `sink`. One that cannot be read or is not accepted does not stop the others;
  // the first such status is returned.
  virtual absl::Status Drain(CrashSink& sink) = 0;
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SOURCE_CRASH_SOURCE_H_

#ifndef COREFLEET_SERVER_FLAGS_H_
#define COREFLEET_SERVER_FLAGS_H_

#include "absl/status/statusor.h"
#include "server/options.h"

namespace corefleet {

// Reads and checks the command line. Prints help and ends the process for --help and for unknown flags.
//   INVALID_ARGUMENT  a rule is broken; the text is for the operator
absl::StatusOr<ServerOptions> OptionsFromCommandLine(int argc, char** argv);

}  // namespace corefleet

#endif  // COREFLEET_SERVER_FLAGS_H_

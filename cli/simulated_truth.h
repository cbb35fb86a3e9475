#ifndef COREFLEET_CLI_SIMULATED_TRUTH_H_
#define COREFLEET_CLI_SIMULATED_TRUTH_H_

#include <string>

#include "core/simulate/simulate.h"

namespace corefleet {

// What corefleet must find in a simulated crash, as JSON for a person and for tests; the names are those of
// the crash's own JSON (docs/simulate.md).
std::string TruthJson(const SimulationOptions& options, const SimulatedTruth& truth);

}  // namespace corefleet

#endif  // COREFLEET_CLI_SIMULATED_TRUTH_H_

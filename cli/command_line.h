#ifndef COREFLEET_CLI_COMMAND_LINE_H_
#define COREFLEET_CLI_COMMAND_LINE_H_

#include <string>
#include <vector>

#include "cli/verb.h"

namespace corefleet {

// Runs `corefleet WORDS...` with these verbs: finds the verb, parses what belongs to it and to the program,
// prints help where help is asked for or needed. `defaults` says what holds unless an option says otherwise.
// Returns the exit code.
int RunCommandLine(const std::vector<std::string>& words, const std::vector<Verb>& verbs,
                   Surroundings defaults);

}  // namespace corefleet

#endif  // COREFLEET_CLI_COMMAND_LINE_H_

#ifndef COREFLEET_CLI_VERB_H_
#define COREFLEET_CLI_VERB_H_

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "cli/arguments.h"
#include "cli/exit_code.h"
#include "collector/upload/channel_security.h"

namespace corefleet {

// Where a verb runs: what it may write to and whom it may ask.
struct Surroundings {
  std::ostream* out;
  std::ostream* err;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  Clock* clock = nullptr;
  std::string server;  // the engineers' port, host:port
  std::string ingest;  // the devices' port
  ChannelSecurity server_security;
  ChannelSecurity ingest_security;
  bool json = false;  // one message a line on `out`
};

// One verb of the command line. Its table makes its help.
struct Verb {
  std::string name;
  std::string operands;  // "ID REGION"; brackets for what may be left out
  size_t min_operands = 0;
  size_t max_operands = 0;
  std::string summary;  // one line
  std::string details;  // paragraphs below the options: what a newcomer has to know, with examples
  std::vector<Option> options;
  // Does it. Returns the program's exit code.
  std::function<int(const Arguments&, const Surroundings&)> run;
};

// All there are, in the order of the help. One file each.
Verb UploadVerb();
Verb CheckVerb();
Verb ListVerb();
Verb InfoVerb();
Verb LogVerb();
Verb FetchVerb();
Verb CatVerb();
Verb ReadVerb();
Verb WaitVerb();
Verb SimulateVerb();

// Writes "corefleet: <what went wrong>" and returns the exit code that goes with it.
int Fail(const Surroundings& where, const absl::Status& status);

}  // namespace corefleet

#endif  // COREFLEET_CLI_VERB_H_

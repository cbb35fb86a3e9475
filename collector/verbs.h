#ifndef COREFLEET_COLLECTOR_VERBS_H_
#define COREFLEET_COLLECTOR_VERBS_H_

#include <string>
#include <vector>

namespace corefleet {

// What corefleet-collector does, one function and one file a verb. `words` is what follows the verb on the
// command line; the result is the program's exit code (cli/exit_code.h).
int RunSend(const std::vector<std::string>& words);  // without a verb: paths
int RunAgentVerb(const std::vector<std::string>& words);
int RunStatus(const std::vector<std::string>& words);
int RunExport(const std::vector<std::string>& words);
int RunImport(const std::vector<std::string>& words);
int RunCheckConfig(const std::vector<std::string>& words);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_VERBS_H_

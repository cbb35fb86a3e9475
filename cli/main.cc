#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cli/command_line.h"
#include "collector/source/find_crashes.h"
#include "core/kdump/reader/reader_main.h"

namespace {

std::string FromEnvironment(const char* name, const char* fallback) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : fallback;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace corefleet;
  MaybeRunKdumpReader(argc, argv);
  std::ios::sync_with_stdio(false);
  AllowManyOpenFiles();
  const Surroundings where{.out = &std::cout,
                           .err = &std::cerr,
                           .out_is_terminal = isatty(STDOUT_FILENO) == 1,
                           .err_is_terminal = isatty(STDERR_FILENO) == 1,
                           .clock = Clock::Real(),
                           .server = FromEnvironment("COREFLEET_SERVER", "127.0.0.1:7444"),
                           .ingest = FromEnvironment("COREFLEET_INGEST", "127.0.0.1:7443")};
  const std::vector<Verb> verbs = {UploadVerb(), CheckVerb(), ListVerb(), InfoVerb(), LogVerb(),
                                   FetchVerb(),  CatVerb(),   ReadVerb(), WaitVerb(), SimulateVerb()};
  return RunCommandLine(std::vector<std::string>(argv + 1, argv + argc), verbs, where);
}

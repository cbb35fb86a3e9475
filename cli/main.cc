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

corefleet::ChannelSecurity ServerSecurity() {
  return {.ca = FromEnvironment("COREFLEET_TLS_CA", ""),
          .certificate = FromEnvironment("COREFLEET_TLS_CERT", ""),
          .key = FromEnvironment("COREFLEET_TLS_KEY", ""),
          .token_file = FromEnvironment("COREFLEET_TOKEN_FILE", ""),
          .server_name = FromEnvironment("COREFLEET_TLS_SERVER_NAME", "")};
}

corefleet::ChannelSecurity IngestSecurity() {
  const corefleet::ChannelSecurity both = ServerSecurity();
  return {.ca = FromEnvironment("COREFLEET_INGEST_TLS_CA", both.ca.c_str()),
          .certificate = FromEnvironment("COREFLEET_INGEST_TLS_CERT", both.certificate.c_str()),
          .key = FromEnvironment("COREFLEET_INGEST_TLS_KEY", both.key.c_str()),
          .server_name = both.server_name};
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
                           .ingest = FromEnvironment("COREFLEET_INGEST", "127.0.0.1:7443"),
                           .server_security = ServerSecurity(),
                           .ingest_security = IngestSecurity()};
  const std::vector<Verb> verbs = {UploadVerb(), CheckVerb(), ListVerb(), InfoVerb(), LogVerb(),
                                   FetchVerb(),  CatVerb(),   ReadVerb(), WaitVerb(), SimulateVerb()};
  return RunCommandLine(std::vector<std::string>(argv + 1, argv + argc), verbs, where);
}

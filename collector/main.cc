#include <malloc.h>

#include <string>
#include <vector>

#include "collector/spool/clue_reader.h"
#include "collector/verbs.h"

namespace corefleet {
namespace {

struct Verb {
  const char* name;
  int (*run)(const std::vector<std::string>& words);
};

constexpr Verb kVerbs[] = {{"agent", RunAgentVerb},
                           {"status", RunStatus},
                           {"export", RunExport},
                           {"import", RunImport},
                           {"check-config", RunCheckConfig}};

int Main(std::vector<std::string> words) {
  // An arena a thread, each with its own free memory, is more than a device has to give; and what is freed
  // goes back.
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_TRIM_THRESHOLD, 256 << 10);
  mallopt(M_MMAP_THRESHOLD, 128 << 10);
  for (const Verb& verb : kVerbs) {
    if (!words.empty() && words[0] == verb.name) return verb.run({words.begin() + 1, words.end()});
  }
  return RunSend(words);
}

}  // namespace
}  // namespace corefleet

int main(int argc, char** argv) {
  corefleet::MaybeRunClueReader(argc, argv);
  return corefleet::Main(std::vector<std::string>(argv + 1, argv + argc));
}

// Prints docs/metrics.md, or writes it into the source tree: bazel run //server/metrics:metrics_doc --
// --update

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "server/metrics/metric_table.h"

int main(int argc, char** argv) {
  const std::string text = corefleet::MetricsDocumentation();
  const bool update = argc > 1 && std::strcmp(argv[1], "--update") == 0;
  const char* workspace = std::getenv("BUILD_WORKSPACE_DIRECTORY");
  if (update && workspace == nullptr) {
    std::fputs("--update works under bazel run only\n", stderr);
    return 2;
  }
  std::FILE* out = update ? std::fopen((std::string(workspace) + "/docs/metrics.md").c_str(), "w") : stdout;
  if (out == nullptr) {
    std::perror("docs/metrics.md");
    return 1;
  }
  const bool written = std::fwrite(text.data(), 1, text.size(), out) == text.size();
  return std::fclose(out) == 0 && written ? 0 : 1;
}

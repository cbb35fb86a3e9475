#ifndef COREFLEET_TESTS_SUPPORT_FUZZ_TARGET_H_
#define COREFLEET_TESTS_SUPPORT_FUZZ_TARGET_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace corefleet {

// A fuzz target defines this beside LLVMFuzzerTestOneInput: good inputs to start from, built in code. Real
// ones may come as files too, named on the command line.
std::vector<std::string> FuzzSeeds();

}  // namespace corefleet

// What a fuzz target must be able to promise for every input. Aborts, so that a fuzzer sees it as a crash.
#define FUZZ_CHECK(condition)                                                             \
  do {                                                                                    \
    if (!(condition)) {                                                                   \
      std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                       \
    }                                                                                     \
  } while (false)

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

#endif  // COREFLEET_TESTS_SUPPORT_FUZZ_TARGET_H_

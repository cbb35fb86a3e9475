#ifndef COREFLEET_TESTS_FUZZ_FUZZER_H_
#define COREFLEET_TESTS_FUZZ_FUZZER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace corefleet {

// What an input is good for to start from. A fuzzer defines it beside LLVMFuzzerTestOneInput. The replay test
// runs each seed, every kind of damage to it, and noise; libFuzzer mutates it for as long as it is let.
std::vector<std::string> FuzzSeeds();
// How many damaged copies of each seed the replay test runs: as many as a few seconds allow.
int DamagedCopiesPerSeed();

}  // namespace corefleet

// libFuzzer's entry point. Returns 0; what is wrong, it dies of.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

#endif  // COREFLEET_TESTS_FUZZ_FUZZER_H_

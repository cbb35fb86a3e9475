#ifndef COREFLEET_TESTS_DURABILITY_MODEL_TRIAL_H_
#define COREFLEET_TESTS_DURABILITY_MODEL_TRIAL_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/durability/model/mutants.h"

namespace corefleet {

// What a trial did and found.
struct TrialReport {
  std::map<std::string, int> faults;  // that happened, by kind
  std::map<std::string, int> events;  // what else happened, so that nobody believes in a trial of nothing
  std::vector<std::string> violations;

  int fault_count() const;
  void Add(const TrialReport& other);
};

// A few devices upload to a server whose disk, power and database fail at points that follow from `seed`; it
// is killed and started again, reconciles and gives room back in between. At the end everything works, and
// all that was promised must be true: acknowledged chunks and crashes are there byte for byte and once, every
// row names bytes that are there, nothing is left over, and the account balances. The same seed does the same
// on every machine. Takes some ten milliseconds.
TrialReport RunTrial(uint64_t seed, Mutation mutation);

}  // namespace corefleet

#endif  // COREFLEET_TESTS_DURABILITY_MODEL_TRIAL_H_

#include <gtest/gtest.h>

#include "base/log.h"
#include "tests/durability/model/trial.h"

namespace corefleet {
namespace {

constexpr int kFaults = 1000;
constexpr uint64_t kSeedsToFindAMutant = 300;

class DurabilityModelTest : public testing::Test {
 protected:
  // What the reconciler says about what it is meant to find is no news here.
  DurabilityModelTest() { SetLogLevel(LogLevel::kError); }
};

TEST_F(DurabilityModelTest, NothingThatWasAcknowledgedIsLostWhateverFails) {
  TrialReport all;
  for (uint64_t seed = 1; all.fault_count() < kFaults; ++seed) {
    const TrialReport report = RunTrial(seed, Mutation::kNone);
    for (const std::string& what : report.violations) ADD_FAILURE() << "seed " << seed << ": " << what;
    all.Add(report);
  }
  for (const auto& [kind, times] : all.faults) EXPECT_GT(times, 0) << kind << " never happened";
  for (const auto& [kind, times] : all.events) EXPECT_GT(times, 0) << "no " << kind;
}

TEST_F(DurabilityModelTest, TheSameSeedDoesTheSame) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const TrialReport once = RunTrial(seed, Mutation::kNone);
    const TrialReport again = RunTrial(seed, Mutation::kNone);
    EXPECT_EQ(once.faults, again.faults);
    EXPECT_EQ(once.events, again.events);
  }
}

// Whoever cannot fail proves nothing.
TEST_F(DurabilityModelTest, WhatIsWrongIsFound) {
  for (const Mutation mutation : Mutations()) {
    uint64_t seed = 1;
    while (seed <= kSeedsToFindAMutant && RunTrial(seed, mutation).violations.empty()) ++seed;
    EXPECT_LE(seed, kSeedsToFindAMutant) << MutationName(mutation);
  }
}

}  // namespace
}  // namespace corefleet

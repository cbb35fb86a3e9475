// The long run: seed after seed, until so many faults have happened. A seed that fails is named, and fails
// again.

#include <cstdio>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "base/clock.h"
#include "base/log.h"
#include "tests/durability/model/trial.h"

ABSL_FLAG(uint64_t, seed, 1, "The first seed.");
ABSL_FLAG(uint64_t, seeds, 0, "How many seeds; 0: until --faults.");
ABSL_FLAG(int, faults, 10000, "Stop when so many faults have happened.");
ABSL_FLAG(std::string, mutation, "none",
          "Be wrong in one way: ack_before_sync, sync_again, name_not_synced, blind_reconciler.");
ABSL_FLAG(bool, verbose, false, "Show what the server logs.");

namespace corefleet {
namespace {

Mutation MutationNamed(const std::string& name) {
  for (const Mutation mutation : Mutations()) {
    if (name == MutationName(mutation)) return mutation;
  }
  return Mutation::kNone;
}

void Print(const TrialReport& report) {
  for (const auto& [kind, times] : report.faults) std::printf("  fault  %-34s %8d\n", kind.c_str(), times);
  for (const auto& [kind, times] : report.events) std::printf("  event  %-34s %8d\n", kind.c_str(), times);
}

int Run() {
  const Mutation mutation = MutationNamed(absl::GetFlag(FLAGS_mutation));
  const uint64_t first = absl::GetFlag(FLAGS_seed);
  const uint64_t seeds = absl::GetFlag(FLAGS_seeds);
  const absl::Time start = Clock::Real()->Now();
  TrialReport all;
  uint64_t seed = first;
  uint64_t failed = 0;
  for (; seeds == 0 ? all.fault_count() < absl::GetFlag(FLAGS_faults) : seed < first + seeds; ++seed) {
    const TrialReport report = RunTrial(seed, mutation);
    for (const std::string& what : report.violations) {
      std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), what.c_str());
    }
    failed += !report.violations.empty();
    all.Add(report);
  }
  Print(all);
  std::printf("%llu seeds, %d faults, %llu seeds failed, %.1f s\n",
              static_cast<unsigned long long>(seed - first), all.fault_count(),
              static_cast<unsigned long long>(failed), absl::ToDoubleSeconds(Clock::Real()->Now() - start));
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace corefleet

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("injects seeded faults into the server's durability");
  absl::ParseCommandLine(argc, argv);
  corefleet::SetLogLevel(absl::GetFlag(FLAGS_verbose) ? corefleet::LogLevel::kDebug
                                                      : corefleet::LogLevel::kError);
  return corefleet::Run();
}

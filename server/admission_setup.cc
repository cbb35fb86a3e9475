#include "server/admission_setup.h"

#include <random>
#include <utility>

#include "absl/memory/memory.h"
#include "base/status_macros.h"
#include "server/rpc/rules_text.h"

namespace corefleet {
namespace {

constexpr absl::Duration kBacklogEvery = absl::Seconds(5);

uint64_t Seed() {
  std::random_device random;
  return (uint64_t{random()} << 32) | random();
}

}  // namespace

ServerAdmission::ServerAdmission(const ServerOptions& options, CrashIndex* index, const Clock* clock)
    : admission_(options.admission, clock, Seed()),
      refusals_(index),
      backlog_(kBacklogEvery, [this, index, clock] {
        const auto stats = index->Stats(0);
        if (stats.ok()) admission_.database()->Backlog(stats->analysis_backlog, clock->Now());
      }) {}

absl::StatusOr<std::unique_ptr<ServerAdmission>> ServerAdmission::Start(const ServerOptions& options,
                                                                        CrashIndex* index,
                                                                        const Clock* clock) {
  auto made = absl::WrapUnique(new ServerAdmission(options, index, clock));
  if (options.rules.empty()) return made;
  ASSIGN_OR_RETURN(made->rules_, RulesFile::Watch(options.rules, ParseRules,
                                                  [admission = made->admission()](AdmissionRules rules) {
                                                    admission->SetRules(std::move(rules));
                                                  }));
  return made;
}

AdmissionStanding ServerAdmission::standing() {
  AdmissionStanding standing = admission_.standing();
  standing.rules_good = rules_ == nullptr || rules_->good();
  return standing;
}

void ServerAdmission::Reload() {
  if (rules_ != nullptr) rules_->Reload();
}

absl::StatusOr<std::string> CheckRulesFile(const std::string& path) {
  ASSIGN_OR_RETURN(const AdmissionRules rules, ReadRulesFile(path, ParseRules));
  return DescribeRules(rules);
}

}  // namespace corefleet

#ifndef COREFLEET_SERVER_ADMISSION_RULES_H_
#define COREFLEET_SERVER_ADMISSION_RULES_H_

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "storage/crash_index.h"

namespace corefleet {

// What the operator says about crashes before they travel: the domain's form of the rules file
// (proto/corefleet/v1/rules.proto, docs/admission.md).

// What a rule looks at. All of it comes from the device, before a byte of the crash.
struct OfferedCrash {
  absl::string_view device;
  const CrashHints* hints = nullptr;
  uint64_t bytes = 0;  // of all regions
};

// Every list that is not empty must fit with one of its entries at least; an empty one fits everything.
struct RuleMatch {
  std::vector<std::string> device;          // globs
  std::vector<std::string> build_id;        // prefixes, lower-case hex
  std::vector<std::string> kernel_release;  // globs
  std::vector<std::string> panic;           // parts of the text
  std::vector<std::string> os_version;      // globs
  std::vector<std::string> source;          // globs
  uint64_t min_bytes = 0;
  uint64_t max_bytes = std::numeric_limits<uint64_t>::max();
};

bool Fits(const RuleMatch& match, const OfferedCrash& crash);

// The numbers are labels of nothing and stored nowhere.
enum class RuleAction { kAccept, kSample, kLogOnly, kRefuse, kQuota };

struct AdmissionRule {
  std::string name;  // 1 to 64 of letters, digits, - _ and .
  RuleMatch match;
  RuleAction action = RuleAction::kAccept;
  // kSample: one crash in so many is taken, and stands for so many.
  uint32_t one_in = 1;
  // kQuota: so many whole crashes a day of each build and panic; what the others get is log only or a
  // refusal.
  uint32_t full_per_day = 0;
  bool then_refuse = false;
  // Where the log alone is wanted: a crash that cannot be split is refused, else taken whole.
  bool refuse_whole = false;
  // Where the log alone is wanted: so long the device shall keep the rest and then ask again.
  std::optional<absl::Duration> ask_again;
  // Where crashes are refused: when to come back (none: never), and what to say.
  std::optional<absl::Duration> retry_after;
  std::string message;
};

struct KillSwitch {
  bool on = false;
  absl::Duration delay = absl::Minutes(10);
  std::string message = "the operator lets no crashes in for now";
};

// The first rule that fits decides; a crash that fits none is accepted.
struct AdmissionRules {
  KillSwitch kill_switch;
  std::vector<AdmissionRule> rules;
};

inline constexpr size_t kMaxRules = 1000;

// INVALID_ARGUMENT, in words for the operator, for the first thing in it that no rule may have.
absl::Status Validate(const AdmissionRule& rule);

// The rule in one line, for --check_rules and the log.
std::string Describe(const AdmissionRule& rule);

}  // namespace corefleet

#endif  // COREFLEET_SERVER_ADMISSION_RULES_H_

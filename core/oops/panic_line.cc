#include "core/oops/panic_line.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"

namespace corefleet {
namespace {

constexpr absl::string_view kPanicStart = "Kernel panic - not syncing: ";

// What panic() is called with by code that only passes on what was reported before (6.1, 6.12). On arm64 the
// oops's own name stands in front of "Fatal exception".
constexpr absl::string_view kConsequences[] = {
    "Fatal exception",
    "panic_on_warn set",
    "system warned too often",
    "panic_on_taint set",
    "Oopsed too often",
    "Oops failed to kill thread",
    "softlockup: hung tasks",
    "hung_task: blocked tasks",
    "RCU Stall",
    "kasan.fault=panic set",
    "Hard LOCKUP",
    "Asynchronous SError Interrupt",
    "Unhandled exception",
    "Aiee, killing interrupt handler!",
    "Attempted to kill the idle task!",
};

}  // namespace

std::optional<PanicLine> FindPanicLine(const KernelLog& log) {
  for (size_t i = log.records.size(); i-- > 0;) {
    const LogRecord& record = log.records[i];
    absl::string_view line = record.text;
    if (record.facility != 0 || !absl::ConsumePrefix(&line, kPanicStart)) continue;
    return PanicLine{i, std::string(line.substr(0, line.find('\n')))};
  }
  return {};
}

bool IsConsequence(absl::string_view reason) {
  return std::any_of(std::begin(kConsequences), std::end(kConsequences),
                     [&](absl::string_view words) { return absl::StrContains(reason, words); });
}

}  // namespace corefleet

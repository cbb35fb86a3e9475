#include "collector/upload/refusal.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/bytes/escape.h"

namespace corefleet {
namespace {

constexpr char kPayload[] = "corefleet/refusal";
constexpr const char* kFinalReasons[] = {"RULE", "SAMPLED_OUT", "QUOTA", "CRASH_TOO_LARGE", "MALFORMED"};
constexpr size_t kMaxReasonBytes = 64;
constexpr size_t kMaxRuleBytes = 128;

bool IsReason(absl::string_view text) {
  return text.size() <= kMaxReasonBytes && std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isupper(c) || absl::ascii_isdigit(c) || c == '_';
         });
}

}  // namespace

absl::Status WithRefusal(absl::Status status, Refusal refusal) {
  const std::string reason = IsReason(refusal.reason) ? refusal.reason : "OTHER";
  const std::string rule = EscapeForTerminal(refusal.rule).substr(0, kMaxRuleBytes);
  const absl::Duration wait = std::clamp(refusal.wait, absl::ZeroDuration(), kMaxServerDelay);
  // The rule comes last: it alone may hold any printable character.
  status.SetPayload(kPayload,
                    absl::Cord(absl::StrCat(absl::ToInt64Milliseconds(wait), ":",
                                            refusal.not_before_next_boot ? 1 : 0, ":", reason, ":", rule)));
  return status;
}

Refusal RefusalOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kPayload);
  if (!payload) return {};
  const std::vector<std::string> parts = absl::StrSplit(std::string(*payload), absl::MaxSplits(':', 3));
  int64_t milliseconds = 0;
  if (parts.size() != 4 || !absl::SimpleAtoi(parts[0], &milliseconds)) return {};
  return {.reason = parts[2],
          .rule = parts[3],
          .wait = absl::Milliseconds(milliseconds),
          .not_before_next_boot = parts[1] == "1"};
}

bool IsFinal(const absl::Status& status) {
  if (!absl::IsPermissionDenied(status) && !absl::IsInvalidArgument(status)) return false;
  const std::string reason = RefusalOf(status).reason;
  return std::any_of(std::begin(kFinalReasons), std::end(kFinalReasons),
                     [&](const char* final) { return reason == final; });
}

bool IsAboutOneCrash(const Refusal& refusal) {
  return !refusal.rule.empty() || refusal.reason == "RULE" || refusal.reason == "QUOTA";
}

void ApplyPushback(absl::string_view milliseconds, Refusal* refusal) {
  int64_t value = 0;
  // Digits that overflow are a very long wait, not a word that nobody understands.
  const bool digits =
      !milliseconds.empty() && std::all_of(milliseconds.begin(), milliseconds.end(), absl::ascii_isdigit);
  if (!absl::SimpleAtoi(milliseconds, &value)) value = digits ? INT64_MAX : -1;
  if (value < 0) {
    refusal->not_before_next_boot = true;
    return;
  }
  const int64_t most = absl::ToInt64Milliseconds(kMaxServerDelay);
  refusal->wait = std::max(refusal->wait, absl::Milliseconds(std::min(value, most)));
}

}  // namespace corefleet

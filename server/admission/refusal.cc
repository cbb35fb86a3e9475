#include "server/admission/refusal.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace corefleet {
namespace {

// Inside this process only: the rim writes google.rpc messages in its place.
constexpr char kPayload[] = "corefleet.local/Refused";

constexpr RefusalReason kReasons[] = {
    RefusalReason::kKillSwitch,    RefusalReason::kRule,         RefusalReason::kSampledOut,
    RefusalReason::kQuota,         RefusalReason::kDeviceRate,   RefusalReason::kFleetRate,
    RefusalReason::kBytesInFlight, RefusalReason::kStoreFull,    RefusalReason::kDatabaseBusy,
    RefusalReason::kServerBusy,    RefusalReason::kTooManyCalls, RefusalReason::kCrashTooLarge,
    RefusalReason::kMalformed,     RefusalReason::kWrongDevice,
};

absl::StatusCode CodeOf(const Refused& refused) {
  if (refused.delay) return absl::StatusCode::kResourceExhausted;
  const bool unfit =
      refused.reason == RefusalReason::kMalformed || refused.reason == RefusalReason::kCrashTooLarge;
  return unfit ? absl::StatusCode::kInvalidArgument : absl::StatusCode::kPermissionDenied;
}

std::optional<RefusalReason> ReasonNamed(absl::string_view name) {
  const auto found = std::find_if(std::begin(kReasons), std::end(kReasons),
                                  [&](RefusalReason reason) { return RefusalReasonName(reason) == name; });
  if (found == std::end(kReasons)) return std::nullopt;
  return *found;
}

}  // namespace

absl::Span<const RefusalReason> AllRefusalReasons() { return kReasons; }

absl::string_view RefusalReasonName(RefusalReason reason) {
  switch (reason) {
    case RefusalReason::kKillSwitch:
      return "KILL_SWITCH";
    case RefusalReason::kRule:
      return "RULE";
    case RefusalReason::kSampledOut:
      return "SAMPLED_OUT";
    case RefusalReason::kQuota:
      return "QUOTA";
    case RefusalReason::kDeviceRate:
      return "DEVICE_RATE";
    case RefusalReason::kFleetRate:
      return "FLEET_RATE";
    case RefusalReason::kBytesInFlight:
      return "BYTES_IN_FLIGHT";
    case RefusalReason::kStoreFull:
      return "STORE_FULL";
    case RefusalReason::kDatabaseBusy:
      return "DATABASE_BUSY";
    case RefusalReason::kServerBusy:
      return "SERVER_BUSY";
    case RefusalReason::kTooManyCalls:
      return "TOO_MANY_CALLS";
    case RefusalReason::kCrashTooLarge:
      return "CRASH_TOO_LARGE";
    case RefusalReason::kMalformed:
      return "MALFORMED";
    case RefusalReason::kWrongDevice:
      return "WRONG_DEVICE";
  }
  return "MALFORMED";
}

std::string RefusalReasonLabel(RefusalReason reason) {
  return absl::AsciiStrToLower(RefusalReasonName(reason));
}

absl::Status RefusedStatus(const Refused& refused) {
  absl::Status status(CodeOf(refused), refused.message);
  const int64_t delay_ms = refused.delay ? absl::ToInt64Milliseconds(*refused.delay) : -1;
  status.SetPayload(kPayload, absl::Cord(absl::StrCat(RefusalReasonName(refused.reason), "\n", delay_ms, "\n",
                                                      refused.limit, "\n", refused.rule)));
  return status;
}

std::optional<Refused> RefusedBy(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayload);
  if (!payload) return std::nullopt;
  const std::string text(*payload);
  // The rule's name comes last: nothing in it can be taken for another field.
  const std::vector<std::string> fields = absl::StrSplit(text, absl::MaxSplits('\n', 3));
  int64_t delay_ms = 0;
  if (fields.size() != 4 || !absl::SimpleAtoi(fields[1], &delay_ms)) return std::nullopt;
  const auto reason = ReasonNamed(fields[0]);
  if (!reason) return std::nullopt;
  Refused refused{.reason = *reason, .rule = fields[3], .limit = fields[2]};
  if (delay_ms >= 0) refused.delay = absl::Milliseconds(delay_ms);
  return refused;
}

}  // namespace corefleet

#include "cli/filters.h"

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "cli/duration.h"

namespace corefleet {
namespace {

void SetTimestamp(absl::Time time, google::protobuf::Timestamp* to) {
  to->set_seconds(absl::ToUnixSeconds(time));
  to->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(to->seconds()))));
}

absl::StatusOr<v1::Crash::State> ParseState(absl::string_view text) {
  v1::Crash::State state;
  if (v1::Crash::State_Parse(absl::AsciiStrToUpper(text), &state) && state != v1::Crash::STATE_UNSPECIFIED)
    return state;
  return absl::InvalidArgumentError(
      absl::StrCat("--state is RECEIVED, COMPLETE, PARTIAL, LOG_ONLY or UNREADABLE, not '", text, "'"));
}

}  // namespace

std::vector<Option> FilterOptions() {
  return {{"build", 0, "BUILD", "a release, a build id, or the beginning of one (4 digits at least)"},
          {"taint", 0, "LETTERS", "all of these taint letters are set, such as O or WO"},
          {"untainted", 0, "", "the kernel is known not to be tainted"},
          {"device", 0, "NAME", "of this device"},
          {"state", 0, "STATE", "RECEIVED, COMPLETE, PARTIAL, LOG_ONLY or UNREADABLE"},
          {"since", 0, "WHEN", "received at or after: 2h, 3d (ago), 2026-11-23, or RFC 3339"},
          {"until", 0, "WHEN", "received before"}};
}

absl::StatusOr<v1::CrashFilter> ParseFilter(const Arguments& arguments, absl::Time now) {
  v1::CrashFilter filter;
  filter.set_build(arguments.Get("build"));
  filter.set_taint(absl::AsciiStrToUpper(arguments.Get("taint")));
  filter.set_untainted(arguments.Has("untainted"));
  filter.set_device(arguments.Get("device"));
  if (arguments.Has("state")) {
    ASSIGN_OR_RETURN(const v1::Crash::State state, ParseState(arguments.Get("state")));
    filter.set_state(state);
  }
  if (arguments.Has("since")) {
    ASSIGN_OR_RETURN(const absl::Time since, ParseWhen(arguments.Get("since"), now));
    SetTimestamp(since, filter.mutable_since());
  }
  if (arguments.Has("until")) {
    ASSIGN_OR_RETURN(const absl::Time until, ParseWhen(arguments.Get("until"), now));
    SetTimestamp(until, filter.mutable_until());
  }
  if (filter.untainted() && !filter.taint().empty()) {
    return absl::InvalidArgumentError("--taint and --untainted exclude each other");
  }
  return filter;
}

absl::StatusOr<absl::Time> ParseWhen(absl::string_view text, absl::Time now) {
  if (const absl::StatusOr<absl::Duration> age = ParseDuration(text); age.ok()) return now - *age;
  for (const char* format :
       {absl::RFC3339_full, "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M"}) {
    absl::Time time;
    if (absl::ParseTime(format, text, absl::UTCTimeZone(), &time, nullptr)) return time;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "'", text, "' is no time; write it as 2h or 3d (ago), 2026-11-23, or 2026-11-23T14:05:00Z"));
}

}  // namespace corefleet

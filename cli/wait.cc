#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "cli/analysis_wait.h"
#include "cli/crash_table.h"
#include "cli/duration.h"
#include "cli/filters.h"
#include "cli/json.h"
#include "cli/verb.h"

namespace corefleet {
namespace {

// The newest crash that matches and has been read; nullopt if there is none yet.
absl::StatusOr<std::optional<v1::Crash>> NewestRead(const v1::CrashFilter& filter,
                                                    ArchiveConnection* archive) {
  v1::ListCrashesRequest request;
  *request.mutable_filter() = filter;
  ASSIGN_OR_RETURN(const v1::ListCrashesResponse page, archive->ListCrashes(request));
  for (const v1::Crash& crash : page.crashes()) {
    // Somebody who asks for RECEIVED ones wants them as they are.
    if (crash.state() != v1::Crash::RECEIVED || filter.state() == v1::Crash::RECEIVED) return crash;
  }
  return std::optional<v1::Crash>();
}

int Run(const Arguments& arguments, const Surroundings& where) {
  absl::Duration timeout = absl::InfiniteDuration();
  if (arguments.Has("timeout")) {
    const absl::StatusOr<absl::Duration> given = ParseDuration(arguments.Get("timeout"));
    if (!given.ok()) return Fail(where, given.status());
    timeout = *given;
  }
  const absl::StatusOr<v1::CrashFilter> filter = ParseFilter(arguments, where.clock->Now());
  if (!filter.ok()) return Fail(where, filter.status());
  absl::StatusOr<ArchiveConnection> archive = ArchiveConnection::To(where);
  if (!archive.ok()) return Fail(where, archive.status());
  const std::string id = arguments.Get("id");
  const absl::StatusOr<v1::Crash> crash = PollUntil(where.clock, timeout, [&] {
    return id.empty() ? NewestRead(*filter, &*archive) : ReadCrash(id, /*may_come=*/true, &*archive);
  });
  if (absl::IsDeadlineExceeded(crash.status())) {
    *where.err << "corefleet: timed out\n";
    return kTimedOut;
  }
  if (!crash.ok()) return Fail(where, crash.status());
  *where.out << (where.json ? JsonLine(*crash) : FormatCrashTable({*crash}));
  return kDone;
}

}  // namespace

Verb WaitVerb() {
  Verb verb{.name = "wait", .summary = "wait until a crash that matches is there and read", .run = Run};
  verb.options = FilterOptions();
  verb.options.push_back({"id", 0, "ID", "wait for this one"});
  verb.options.push_back({"timeout", 't', "SPAN", "give up (exit 124) after 90s, 15m, 2h (default: never)"});
  verb.details =
      "A crash that is there already counts; --since 0s waits for a new one.\n\n"
      "  corefleet wait --device lab-7 --since 0s --timeout 10m && corefleet info @latest";
  return verb;
}

}  // namespace corefleet

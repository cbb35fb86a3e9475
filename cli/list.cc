#include <algorithm>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "cli/archive_connection.h"
#include "cli/crash_table.h"
#include "cli/filters.h"
#include "cli/json.h"
#include "cli/verb.h"

namespace corefleet {
namespace {

constexpr int64_t kMaxPage = 1000;

// Page after page until there are `wanted`.
absl::StatusOr<std::vector<v1::Crash>> Collect(const v1::CrashFilter& filter, int64_t wanted,
                                               ArchiveConnection* archive) {
  std::vector<v1::Crash> crashes;
  v1::ListCrashesRequest request;
  *request.mutable_filter() = filter;
  while (static_cast<int64_t>(crashes.size()) < wanted) {
    const int64_t left = wanted - static_cast<int64_t>(crashes.size());
    request.set_page_size(static_cast<int32_t>(std::min(left, kMaxPage)));
    ASSIGN_OR_RETURN(v1::ListCrashesResponse page, archive->ListCrashes(request));
    for (v1::Crash& crash : *page.mutable_crashes()) crashes.push_back(std::move(crash));
    if (page.next_page_token().empty()) break;
    request.set_page_token(page.next_page_token());
  }
  return crashes;
}

void Print(const std::vector<v1::Crash>& crashes, const Surroundings& where) {
  if (where.json) {
    for (const v1::Crash& crash : crashes) *where.out << JsonLine(crash);
  } else if (crashes.empty()) {
    *where.err << "no crash matches\n";
  } else {
    *where.out << FormatCrashTable(crashes);
  }
}

int Run(const Arguments& arguments, const Surroundings& where) {
  const absl::StatusOr<int64_t> wanted = arguments.GetNumber("n", 20, 1, 1000000);
  if (!wanted.ok()) return Fail(where, wanted.status());
  const absl::StatusOr<v1::CrashFilter> filter = ParseFilter(arguments, where.clock->Now());
  if (!filter.ok()) return Fail(where, filter.status());
  absl::StatusOr<ArchiveConnection> archive = ArchiveConnection::To(where);
  if (!archive.ok()) return Fail(where, archive.status());
  const absl::StatusOr<std::vector<v1::Crash>> crashes = Collect(*filter, *wanted, &*archive);
  if (!crashes.ok()) return Fail(where, crashes.status());
  Print(*crashes, where);
  return kDone;
}

}  // namespace

Verb ListVerb() {
  Verb verb{.name = "list", .summary = "list crashes, newest first", .run = Run};
  verb.options = FilterOptions();
  verb.options.push_back({"n", 'n', "N", "at most so many (default 20)"});
  verb.details =
      "TAINT shows the kernel's own letters, - for an untainted kernel, ? where nothing tells.\n"
      "STATE: RECEIVED is stored and not read yet; COMPLETE has every region; PARTIAL lacks something\n"
      "('corefleet info ID' says what); LOG_ONLY has a kernel log and no memory; UNREADABLE has neither.\n"
      "WEIGHT, if one is a sample: it stands for so many like it. HERE, if one is stored in part: how much\n"
      "of its bytes came, 'log' where the server asked for no more than the log.\n\n"
      "  corefleet list --since 2d --taint O          out-of-tree modules, the last two days\n"
      "  corefleet list --build 6.1.0-47 --json       for a script";
  return verb;
}

}  // namespace corefleet

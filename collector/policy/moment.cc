#include "collector/policy/moment.h"

#include <algorithm>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace corefleet {
namespace {

// 2024-01-01: this program is younger, so a clock that says less was never set.
constexpr absl::Time kEarliestPossible = absl::FromUnixSeconds(1704067200);

}  // namespace

absl::Duration TimePassed(const Moment& from, const Moment& to) {
  if (from.boot_id == to.boot_id) return std::max(to.since_boot - from.since_boot, absl::ZeroDuration());
  const absl::Duration at_least = std::max(to.since_boot, absl::ZeroDuration());
  if (from.wall < kEarliestPossible || to.wall < kEarliestPossible) return at_least;
  return std::max(to.wall - from.wall, at_least);
}

std::string FormatMoment(const Moment& moment) {
  return absl::StrCat(absl::ToUnixMillis(moment.wall), " ", absl::ToInt64Milliseconds(moment.since_boot), " ",
                      moment.boot_id);
}

Moment ParseMoment(absl::string_view text) {
  const std::vector<std::string> parts = absl::StrSplit(text, absl::MaxSplits(' ', 2));
  int64_t wall = 0, since_boot = 0;
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[0], &wall) || !absl::SimpleAtoi(parts[1], &since_boot)) {
    return {};
  }
  return {.wall = absl::FromUnixMillis(wall),
          .since_boot = absl::Milliseconds(std::max<int64_t>(since_boot, 0)),
          .boot_id = parts[2]};
}

}  // namespace corefleet

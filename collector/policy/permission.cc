#include "collector/policy/permission.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace corefleet {
namespace {

constexpr uint32_t kUp = 1;          // RTF_UP
constexpr uint32_t kReject = 0x200;  // RTF_REJECT

// The columns of a routing table's line that decide.
struct Columns {
  size_t count, destination, mask, metric, flags, name;
  int metric_base;
  absl::string_view any, any_mask;
};
// Iface Destination Gateway Flags RefCnt Use Metric Mask ...
constexpr Columns kIpv4 = {8, 1, 7, 6, 3, 0, 10, "00000000", "00000000"};
// destination prefix source prefix next-hop metric refcnt use flags device
constexpr Columns kIpv6 = {10, 0, 1, 5, 8, 9, 16, "00000000000000000000000000000000", "00"};

std::string DefaultOf(absl::string_view table, const Columns& columns) {
  std::string best;
  uint32_t best_metric = std::numeric_limits<uint32_t>::max();
  for (const absl::string_view line : absl::StrSplit(table, '\n')) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar("\t "), absl::SkipEmpty());
    if (words.size() < columns.count) continue;
    if (words[columns.destination] != columns.any || words[columns.mask] != columns.any_mask) continue;
    uint32_t flags = 0, metric = 0;
    const absl::string_view metric_text = words[columns.metric];
    const bool readable = absl::SimpleHexAtoi(words[columns.flags], &flags) &&
                          (columns.metric_base == 16 ? absl::SimpleHexAtoi(metric_text, &metric)
                                                     : absl::SimpleAtoi(metric_text, &metric));
    if (!readable || (flags & kUp) == 0 || (flags & kReject) != 0 || words[columns.name] == "lo") continue;
    if (best.empty() || metric < best_metric) {
      best = std::string(words[columns.name]);
      best_metric = metric;
    }
  }
  return best;
}

}  // namespace

Permission PermissionFor(const Standing& standing) {
  if (standing.consent_needed && !standing.consent_given) return Permission::kNoConsent;
  if (!standing.link_metered || standing.on_metered == OnMeteredLink::kAllow) return Permission::kSend;
  return standing.on_metered == OnMeteredLink::kLogOnly ? Permission::kLogOnly : Permission::kWait;
}

std::string DefaultInterface(absl::string_view route, absl::string_view ipv6_route) {
  std::string name = DefaultOf(route, kIpv4);
  return name.empty() ? DefaultOf(ipv6_route, kIpv6) : name;
}

bool MatchesInterface(absl::string_view name, const std::vector<std::string>& patterns) {
  return !name.empty() && std::any_of(patterns.begin(), patterns.end(), [&](absl::string_view pattern) {
    return absl::ConsumeSuffix(&pattern, "*") ? absl::StartsWith(name, pattern) : name == pattern;
  });
}

}  // namespace corefleet

#include "collector/spool/drop_order.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace corefleet {
namespace {

constexpr size_t kMaxPanicBytes = 160;

// Words of hex digits with a digit in them, and numbers, become one '#'.
std::string WithoutNumbers(absl::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size() && out.size() < kMaxPanicBytes;) {
    size_t end = i;
    bool number = false;
    while (end < text.size() && (absl::ascii_isalnum(static_cast<unsigned char>(text[end])))) {
      number = number || absl::ascii_isdigit(static_cast<unsigned char>(text[end]));
      ++end;
    }
    if (end == i) {
      out.push_back(text[i++]);
      continue;
    }
    const absl::string_view word = text.substr(i, end - i);
    const bool hex = std::all_of(word.begin(), word.end(), [](char c) {
      return absl::ascii_isxdigit(static_cast<unsigned char>(c)) || c == 'x';
    });
    absl::StrAppend(&out, number && hex ? absl::string_view("#") : word);
    i = end;
  }
  return out;
}

using Kinds = std::map<std::string, std::vector<size_t>>;

// The entries of each kind, oldest first. Rests are of no kind.
Kinds ByKind(const std::vector<Waiting>& waiting) {
  Kinds kinds;
  for (size_t i = 0; i < waiting.size(); ++i) {
    if (!waiting[i].rest_only) kinds[waiting[i].kind].push_back(i);
  }
  for (auto& [kind, members] : kinds) {
    std::sort(members.begin(), members.end(),
              [&](size_t a, size_t b) { return waiting[a].id < waiting[b].id; });
  }
  return kinds;
}

// The one nearest to the middle that nobody reads. Of three or more neither the first nor the last; of two
// the later one: the first may be half sent, and says when it began.
std::optional<size_t> FromTheMiddle(const std::vector<Waiting>& waiting, const std::vector<size_t>& members) {
  const size_t n = members.size();
  const size_t first = 1, last = n > 2 ? n - 2 : n - 1;
  std::optional<size_t> best;
  const auto distance = [n](size_t i) { return i > n / 2 ? i - n / 2 : n / 2 - i; };
  for (size_t i = first; i <= last && i < n; ++i) {
    if (!waiting[members[i]].open && (!best || distance(i) < distance(*best))) best = i;
  }
  if (best) return members[*best];
  // An entry that comes in, or is read, is one of them and cannot go: then another of its kind must.
  for (const size_t member : {members.back(), members.front()}) {
    if (!waiting[member].open) return member;
  }
  return std::nullopt;
}

std::optional<size_t> FromTheLargestKind(const std::vector<Waiting>& waiting) {
  const Kinds kinds = ByKind(waiting);
  std::optional<size_t> victim;
  std::tuple<size_t, uint64_t> largest{1, UINT64_MAX};  // more than one entry
  for (const auto& [kind, members] : kinds) {
    uint64_t bytes = 0;
    for (const size_t member : members) bytes += waiting[member].bytes;
    const std::tuple<size_t, uint64_t> size{members.size(), bytes};
    if (members.size() < 2 || size <= largest) continue;
    if (const std::optional<size_t> found = FromTheMiddle(waiting, members)) {
      victim = found;
      largest = size;
    }
  }
  return victim;
}

std::optional<size_t> OldestRest(const std::vector<Waiting>& waiting) {
  std::optional<size_t> oldest;
  for (size_t i = 0; i < waiting.size(); ++i) {
    if (!waiting[i].rest_only || waiting[i].open) continue;
    if (!oldest || waiting[i].id < waiting[*oldest].id) oldest = i;
  }
  return oldest;
}

std::optional<size_t> LeastOfAll(const std::vector<Waiting>& waiting, uint32_t priority) {
  std::optional<size_t> least;
  const auto key = [&](size_t i) { return std::tie(waiting[i].priority, waiting[i].id); };
  for (size_t i = 0; i < waiting.size(); ++i) {
    if (waiting[i].open || waiting[i].priority > priority) continue;
    if (!least || key(i) < key(*least)) least = i;
  }
  return least;
}

void Free(const Waiting& entry, SpoolUse* use) {
  use->bytes -= std::min(use->bytes, entry.bytes);
  use->entries -= std::min<uint64_t>(use->entries, 1);
  if (use->free.free_bytes < UINT64_MAX - entry.bytes) use->free.free_bytes += entry.bytes;
  if (use->free.free_inodes < UINT64_MAX) ++use->free.free_inodes;
}

SpoolUse After(SpoolUse use, const std::vector<Waiting>& waiting, const std::vector<Victim>& victims,
               size_t spared) {
  for (size_t i = 0; i < victims.size(); ++i) {
    if (i != spared) Free(waiting[victims[i].index], &use);
  }
  return use;
}

}  // namespace

std::string KindOf(const SpoolTags& tags) {
  return absl::StrCat(tags.device.value(), "\n", tags.clues.source, "\n", tags.clues.build_id, "\n",
                      WithoutNumbers(tags.clues.panic));
}

std::optional<size_t> NextVictim(const std::vector<Waiting>& waiting, Mercy mercy, uint32_t priority) {
  if (const std::optional<size_t> rest = OldestRest(waiting)) return rest;
  if (const std::optional<size_t> one_of_many = FromTheLargestKind(waiting)) return one_of_many;
  return mercy == Mercy::kNone ? LeastOfAll(waiting, priority) : std::nullopt;
}

std::vector<size_t> SendingOrder(const std::vector<Waiting>& waiting) {
  std::vector<size_t> turn(waiting.size(), 0);  // how many of its kind go before it
  for (const auto& [kind, members] : ByKind(waiting)) {
    for (size_t i = 0; i < members.size(); ++i) turn[members[i]] = i;
  }
  std::vector<size_t> order(waiting.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  const auto key = [&](size_t i) {
    const Waiting& entry = waiting[i];
    return std::make_tuple(entry.waits, entry.rest_only, UINT32_MAX - entry.priority, turn[i], entry.id);
  };
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return key(a) < key(b); });
  return order;
}

std::optional<LossReason> Obstacle(const SpoolUse& use, const SpoolLimits& limits, uint64_t bytes,
                                   uint64_t entries) {
  const auto leaves = [](uint64_t free, uint64_t wanted, uint64_t rest) {
    return free >= wanted && free - wanted >= rest;
  };
  if (use.entries + entries > limits.max_entries) return LossReason::kSpoolEntries;
  if (!leaves(limits.max_bytes, use.bytes, bytes)) return LossReason::kSpoolBytes;
  if (!leaves(use.free.free_inodes, entries, limits.min_free_inodes)) return LossReason::kSpoolInodes;
  if (!leaves(use.free.free_bytes, bytes, limits.min_free_bytes)) return LossReason::kSpoolHeadroom;
  return std::nullopt;
}

std::optional<std::vector<Victim>> PlanDrops(const std::vector<Waiting>& waiting, const SpoolUse& use,
                                             const SpoolLimits& limits, Mercy mercy, uint32_t priority,
                                             uint64_t bytes, uint64_t entries) {
  std::vector<Victim> victims;
  std::vector<Waiting> left = waiting;
  std::vector<size_t> index(waiting.size());  // of left's entries in waiting
  for (size_t i = 0; i < index.size(); ++i) index[i] = i;
  SpoolUse now = use;
  while (const std::optional<LossReason> obstacle = Obstacle(now, limits, bytes, entries)) {
    const std::optional<size_t> victim = NextVictim(left, mercy, priority);
    if (!victim) return std::nullopt;
    Free(left[*victim], &now);
    victims.push_back({index[*victim], *obstacle});
    left.erase(left.begin() + static_cast<ptrdiff_t>(*victim));
    index.erase(index.begin() + static_cast<ptrdiff_t>(*victim));
  }
  // A small one may have been chosen before the large one that made room for everything.
  for (size_t i = victims.size(); i-- > 0;) {
    if (!Obstacle(After(use, waiting, victims, i), limits, bytes, entries))
      victims.erase(victims.begin() + static_cast<ptrdiff_t>(i));
  }
  return victims;
}

}  // namespace corefleet

#include "storage/postgres/fact_counts.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace corefleet {
namespace {

template <typename Changes, typename Get>
std::string ArrayOf(const Changes& changes, Get get) {
  return absl::StrCat(
      "{",
      absl::StrJoin(changes, ",",
                    [&](std::string* out, const auto& change) { absl::StrAppend(out, get(change)); }),
      "}");
}

}  // namespace

std::string CountChanges::Kinds() const {
  return ArrayOf(changes_, [](const auto& change) { return change.first.first; });
}

std::string CountChanges::Keys() const {
  return ArrayOf(changes_, [](const auto& change) { return change.first.second; });
}

std::string CountChanges::Amounts() const {
  return ArrayOf(changes_, [](const auto& change) { return change.second; });
}

void CountChanges::Change(const Counted& crash, int64_t by) {
  ChangeBoth(kCountState, static_cast<int64_t>(crash.state), crash, by);
  if (crash.build) ChangeBoth(kCountBuild, *crash.build, crash, by);
  if (!crash.mask) return;
  if (*crash.mask == 0) ChangeBoth(kCountTaint, kUntaintedKey, crash, by);
  for (int bit = 0; bit < 64; ++bit) {
    if (*crash.mask >> bit & 1) ChangeBoth(kCountTaint, bit, crash, by);
  }
}

void CountChanges::ChangeBoth(int kind, int64_t key, const Counted& crash, int64_t by) {
  ChangeOne(kind, key, by);
  if (crash.weight > 1) ChangeOne(kind + kCountWeight, key, by * (crash.weight - 1));
}

void CountChanges::ChangeOne(int kind, int64_t key, int64_t by) {
  const auto it = changes_.emplace(std::make_pair(kind, key), 0).first;
  it->second += by;
  if (it->second == 0) changes_.erase(it);
}

}  // namespace corefleet

#include "server/admission/quota_table.h"

#include "absl/hash/hash.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace corefleet {
namespace {

constexpr absl::Duration kDay = absl::Hours(24);

// "Unable to handle ... at virtual address ffff8000deadbeef" without the address: each run of letters and
// digits that has a digit becomes one mark.
std::string WithoutNumbers(absl::string_view text) {
  std::string out;
  size_t at = 0;
  while (at < text.size()) {
    size_t end = at;
    bool digit = false;
    while (end < text.size() && absl::ascii_isalnum(static_cast<unsigned char>(text[end]))) {
      digit |= absl::ascii_isdigit(static_cast<unsigned char>(text[end])) != 0;
      ++end;
    }
    if (end == at) ++end;
    absl::StrAppend(&out, digit ? "#" : text.substr(at, end - at));
    at = end;
  }
  return out;
}

}  // namespace

std::string QuotaKey(absl::string_view rule, absl::string_view build_id, absl::string_view panic) {
  return absl::StrCat(rule, "\n", build_id, "\n", WithoutNumbers(panic));
}

bool QuotaTable::IsToday(const Kind& kind, absl::Time now) const {
  return now >= kind.day_begins && now < kind.day_begins + kDay;
}

uint32_t QuotaTable::Count(const std::string& key, absl::Time now) const {
  const auto found = kinds_.find(absl::Hash<std::string>()(key));
  if (found == kinds_.end() || !IsToday(*found->second, now)) return 0;
  return found->second->count;
}

void QuotaTable::Add(const std::string& key, absl::Time now) {
  const uint64_t hash = absl::Hash<std::string>()(key);
  if (const auto found = kinds_.find(hash); found != kinds_.end()) {
    by_age_.splice(by_age_.begin(), by_age_, found->second);
    Kind& kind = by_age_.front();
    if (!IsToday(kind, now)) kind = {hash, now, 0};
    ++kind.count;
    return;
  }
  if (kinds_.size() >= capacity_) {
    kinds_.erase(by_age_.back().key);
    by_age_.pop_back();
  }
  by_age_.push_front({hash, now, 1});
  kinds_[hash] = by_age_.begin();
}

}  // namespace corefleet

#include "storage/postgres/partitions.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace corefleet {
namespace {

constexpr int64_t kMaxMillis = (int64_t{1} << 48) - 1;

absl::Time StartOf(absl::CivilMonth month) { return absl::FromCivil(month, absl::UTCTimeZone()); }

}  // namespace

absl::CivilMonth MonthOf(absl::Time when) { return absl::ToCivilMonth(when, absl::UTCTimeZone()); }

std::string FirstUuidAt(absl::Time when) {
  int64_t millis = absl::ToUnixMillis(when);  // floors, and saturates
  if (millis < kMaxMillis && absl::FromUnixMillis(millis) < when) ++millis;
  millis = std::clamp<int64_t>(millis, 0, kMaxMillis);
  const std::string hex = absl::StrFormat("%012x", millis);
  return absl::StrCat(hex.substr(0, 8), "-", hex.substr(8), "-0000-0000-000000000000");
}

std::string CreatePartitionsSql(absl::CivilMonth month) {
  // Two servers may find the same partition missing at once.
  std::string sql = "SELECT pg_advisory_xact_lock(7443744474800002);";
  for (const char* table : {"crash", "crash_fact", "crash_detail"}) {
    absl::StrAppendFormat(&sql, "CREATE TABLE IF NOT EXISTS %s_y%04dm%02d PARTITION OF %s", table,
                          month.year(), month.month(), table);
    absl::StrAppendFormat(&sql, " FOR VALUES FROM ('%s') TO ('%s');", FirstUuidAt(StartOf(month)),
                          FirstUuidAt(StartOf(month + 1)));
  }
  return sql;
}

}  // namespace corefleet

#ifndef COREFLEET_STORAGE_POSTGRES_PARTITIONS_H_
#define COREFLEET_STORAGE_POSTGRES_PARTITIONS_H_

#include <string>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"

namespace corefleet {

// The month, in UTC, whose partitions hold what arrived at `when`.
absl::CivilMonth MonthOf(absl::Time when);

// The smallest UUIDv7 of the first millisecond that is not before `when`: what arrived at or after `when` has
// no smaller id. Never below the zero id; times that 48 bits of milliseconds cannot hold are cut to what they
// can.
std::string FirstUuidAt(absl::Time when);

// SQL, several statements, that makes the partitions of `month` where they are missing. Run it in a
// transaction.
std::string CreatePartitionsSql(absl::CivilMonth month);

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_POSTGRES_PARTITIONS_H_

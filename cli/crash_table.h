#ifndef COREFLEET_CLI_CRASH_TABLE_H_
#define COREFLEET_CLI_CRASH_TABLE_H_

#include <string>
#include <vector>

#include "corefleet/v1/crash.pb.h"

namespace corefleet {

// One line a crash, under a heading. The columns WEIGHT and HERE are there when a crash of the list is a
// sample, or is stored in part.
std::string FormatCrashTable(const std::vector<v1::Crash>& crashes);

// The letters; "-" when not tainted, "?" when nobody knows.
std::string TaintCell(const v1::Taint& taint);
// As much of an id as people copy.
std::string ShortId(const std::string& id);

}  // namespace corefleet

#endif  // COREFLEET_CLI_CRASH_TABLE_H_

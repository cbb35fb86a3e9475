#ifndef COREFLEET_CLI_FOUND_CRASH_H_
#define COREFLEET_CLI_FOUND_CRASH_H_

#include <string>

#include "cli/verb.h"
#include "collector/source/crash_source.h"
#include "core/crash/region_set.h"

namespace corefleet {

// Says on `where.err` what was not taken, and what else a person should know of how it was.
void PrintRemarks(const FoundCrash& crash, const Surroundings& where);

// Where the crash lies and what it is, in words: "./rawdump.img: a Raw_Dmp! container, 53 pieces in it".
// `rebuilt` is Rebuilt::set: the received regions first, and then what came out of them. Escaped, without
// newline.
std::string DescribeFound(const FoundCrash& crash, const RegionSet& rebuilt);

}  // namespace corefleet

#endif  // COREFLEET_CLI_FOUND_CRASH_H_

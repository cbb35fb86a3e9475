#ifndef COREFLEET_CORE_KINFO_KINFO_FACTS_H_
#define COREFLEET_CORE_KINFO_KINFO_FACTS_H_

#include <vector>

#include "core/crash/facts.h"
#include "core/crash/kinfo.h"

namespace corefleet {

// Holds Debug Kinfo areas, the most plausible first, against what is known of a crash. A release that nothing
// better gave comes from the first area that has one; areas that say another one become FACT_CONFLICTs: they
// are of another boot, or of another device.
void CompareKinfo(const std::vector<Kinfo>& kinfos, CrashFacts* facts);

}  // namespace corefleet

#endif  // COREFLEET_CORE_KINFO_KINFO_FACTS_H_

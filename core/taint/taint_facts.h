#ifndef COREFLEET_CORE_TAINT_TAINT_FACTS_H_
#define COREFLEET_CORE_TAINT_TAINT_FACTS_H_

#include <optional>

#include "core/build/image_regions.h"
#include "core/crash/facts.h"
#include "core/printk/kernel_log.h"
#include "core/taint/taint.h"

namespace corefleet {

// Fills in facts->taint: the mask at the end, its letters, and what the killing report printed before it
// added to it.
void ReadTaintFacts(const ImageRegions& regions, const KernelLog& log, CrashFacts* facts);

// What the report that killed the machine said about the taint. Reports print it before they add their own
// bit.
//
// The rule: reports are told apart by their header lines ("BUG:", "WARNING:", "cut here", "Oops:", ...) and
// by the end trace mark; of each report the first line with a taint counts. When the panic names a cause of
// its own (sysrq, out of memory, no init), the panic is the report, and its line comes after it. When it only
// passes on what an oops, a warning or a watchdog reported, it is the last report before the panic. Without a
// panic it is the last report of the log.
std::optional<TaintText> TaintBeforeDeath(const KernelLog& log, const TaintTable& table);

}  // namespace corefleet

#endif  // COREFLEET_CORE_TAINT_TAINT_FACTS_H_

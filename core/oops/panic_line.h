#ifndef COREFLEET_CORE_OOPS_PANIC_LINE_H_
#define COREFLEET_CORE_OOPS_PANIC_LINE_H_

#include <cstddef>
#include <optional>
#include <string>

#include "core/printk/kernel_log.h"

namespace corefleet {

// The line with which the kernel gave up.
struct PanicLine {
  size_t record = 0;   // index into KernelLog::records
  std::string reason;  // behind "Kernel panic - not syncing: "; raw bytes of one line
};

// The last such line that the kernel itself wrote: user space can write one through /dev/kmsg, and the end
// line
// (`---[ end Kernel panic ...`) only repeats it. nullopt when the machine did not panic, or not in this log.
std::optional<PanicLine> FindPanicLine(const KernelLog& log);

// True when `reason` names no cause of its own but what an oops, a warning or a watchdog before it led to.
bool IsConsequence(absl::string_view reason);

}  // namespace corefleet

#endif  // COREFLEET_CORE_OOPS_PANIC_LINE_H_

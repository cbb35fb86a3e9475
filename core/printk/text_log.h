#ifndef COREFLEET_CORE_PRINTK_TEXT_LOG_H_
#define COREFLEET_CORE_PRINTK_TEXT_LOG_H_

#include <vector>

#include "core/crash/kernel_text.h"
#include "core/printk/kernel_log.h"

namespace corefleet {

// The log out of what came as text. `texts`: the best first. The first of a kernel's own that has records is
// the log; others add what they have from before it and from after it, if some stamped line of the log is in
// them too, letter by letter: so a text of another boot adds nothing. No records when no text has any.
KernelLog ReadTextLog(const std::vector<KernelText>& texts);

}  // namespace corefleet

#endif  // COREFLEET_CORE_PRINTK_TEXT_LOG_H_

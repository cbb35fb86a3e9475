#ifndef COREFLEET_CORE_PRINTK_READ_LOG_H_
#define COREFLEET_CORE_PRINTK_READ_LOG_H_

#include "core/printk/kernel_log.h"
#include "core/reassembly/core_image.h"

namespace corefleet {

// Reads the kernel log out of an image: the lockless ring (5.10 on), the log buffer (3.5 to 5.9), the plain
// one before that, each through its symbols or, where the image is too damaged for that, by the next best way
// that its bytes allow. Log that came as text is the log when the memory has none. Total and bounded; says in
// `defects` what was lost. Never follows a region's name where an address can be followed.
KernelLog ReadLog(const CoreImage& image);

}  // namespace corefleet

#endif  // COREFLEET_CORE_PRINTK_READ_LOG_H_

#ifndef COREFLEET_CORE_PRINTK_READ_LOG_H_
#define COREFLEET_CORE_PRINTK_READ_LOG_H_

#include "core/printk/kernel_log.h"
#include "core/reassembly/core_image.h"

namespace corefleet {

// Reads the kernel log out of an image: through the `prb` pointer, or, where the image is too damaged for
// that, by the next best way that its bytes allow. Total and bounded; says in `defects` what was lost. Never
// follows a region's name where an address can be followed. Kernels from 5.10 on (the lockless ring).
KernelLog ReadLog(const CoreImage& image);

}  // namespace corefleet

#endif  // COREFLEET_CORE_PRINTK_READ_LOG_H_

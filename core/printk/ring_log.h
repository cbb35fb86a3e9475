#ifndef COREFLEET_CORE_PRINTK_RING_LOG_H_
#define COREFLEET_CORE_PRINTK_RING_LOG_H_

#include <optional>

#include "core/printk/kernel_log.h"
#include "core/reassembly/core_image.h"

namespace corefleet {

// The log of a kernel from 5.10 on: through the `prb` pointer, or, where the image is too damaged for that,
// out of the newest other ring or remains of one. nullopt when no ring is in the image; a log without records
// when one is there and empty. Total and bounded.
std::optional<KernelLog> ReadRingLog(const CoreImage& image);

}  // namespace corefleet

#endif  // COREFLEET_CORE_PRINTK_RING_LOG_H_

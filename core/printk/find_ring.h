#ifndef COREFLEET_CORE_PRINTK_FIND_RING_H_
#define COREFLEET_CORE_PRINTK_FIND_RING_H_

#include <optional>
#include <string>
#include <vector>

#include "core/printk/ring.h"
#include "core/reassembly/core_image.h"

namespace corefleet {

// A log ring that an image has, or the remains of one.
struct FoundRing {
  Ring ring;
  std::string how;  // "the prb pointer", for a message
};

// The ring that the kernel was writing to when it died: the one that `prb` points to. Its struct is in the
// image; its arrays may be not. nullopt when no pointer, or no ring where it points, is there.
std::optional<FoundRing> FindLiveRing(const CoreImage& image);

// Whatever else looks like a ring: printk_rb_static and printk_rb_dynamic by symbol, id or content, then
// arrays without their struct by id and by size. Several may be the same ring, found twice. At most
// kMaxOtherRings.
std::vector<FoundRing> FindOtherRings(const CoreImage& image);
inline constexpr size_t kMaxOtherRings = 12;

}  // namespace corefleet

#endif  // COREFLEET_CORE_PRINTK_FIND_RING_H_

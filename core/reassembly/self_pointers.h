#ifndef COREFLEET_CORE_REASSEMBLY_SELF_POINTERS_H_
#define COREFLEET_CORE_REASSEMBLY_SELF_POINTERS_H_

#include <cstdint>
#include <optional>

#include "core/bytes/byte_source.h"

namespace corefleet {

// The address of a region, by what is in it.
struct SelfAddress {
  uint64_t vaddr = 0;
  uint32_t witnesses = 0;  // how many list heads say so
};

// An empty list's head is two pointers to itself, so every one of them tells where the memory it is in was
// mapped. Run queues have a hundred, pglist_data dozens. nullopt unless at least four agree and nearly none
// contradicts. Looks at the first MiB.
std::optional<SelfAddress> FindSelfAddress(const ByteSource& bytes);

}  // namespace corefleet

#endif  // COREFLEET_CORE_REASSEMBLY_SELF_POINTERS_H_

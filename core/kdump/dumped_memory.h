#ifndef COREFLEET_CORE_KDUMP_DUMPED_MEMORY_H_
#define COREFLEET_CORE_KDUMP_DUMPED_MEMORY_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "core/bytes/address_space.h"
#include "core/bytes/byte_source.h"

namespace corefleet {

// Memory by physical addresses, full of holes. Thread-safe.
class PhysicalMemory {
 public:
  virtual ~PhysicalMemory() = default;
  // Fills all of `out` from a physical address. NOT_FOUND when a page was not dumped.
  virtual absl::Status ReadPhysical(uint64_t paddr, absl::Span<uint8_t> out) const = 0;
  // How many bytes, at most `want`, are there from `paddr` on without a hole.
  virtual uint64_t PhysicalRunFrom(uint64_t paddr, uint64_t want) const = 0;
};

// The memory of a machine whose dump has page tables: virtual addresses are translated, pages are read one by
// one. Thread-safe.
class DumpedMemory : public AddressSpace, public PhysicalMemory {};

// Opens dumps whose pages are compressed. Given to `core` by its callers, because the library that reads them
// wants a file, and `core` has none. Thread-safe.
class DumpOpener {
 public:
  virtual ~DumpOpener() = default;
  // `parts`: the files of one dump, one or, if it was split, several, in any order; unflattened.
  //   INVALID_ARGUMENT    no dump, or damaged so that nothing can be read
  //   UNIMPLEMENTED       a format or a compression that is not read; the message says which
  //   RESOURCE_EXHAUSTED  the reader ran into its limits
  //   UNAVAILABLE         try again later
  virtual absl::StatusOr<std::shared_ptr<const DumpedMemory>> Open(
      const std::vector<std::shared_ptr<const ByteSource>>& parts) const = 0;
};

}  // namespace corefleet

#endif  // COREFLEET_CORE_KDUMP_DUMPED_MEMORY_H_

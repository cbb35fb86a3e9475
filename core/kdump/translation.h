#ifndef COREFLEET_CORE_KDUMP_TRANSLATION_H_
#define COREFLEET_CORE_KDUMP_TRANSLATION_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "core/vmcoreinfo/vmcoreinfo.h"

namespace corefleet {

// Memory whose both addresses are known, such as a core's load.
struct KnownMapping {
  uint64_t vaddr = 0;
  uint64_t paddr = 0;
  uint64_t size = 0;  // bytes
};

// Virtual to physical by arithmetic: the kernel image and the linear map lie at one constant distance each
// from physical memory, which VMCOREINFO exports in each architecture's own way. Needs no page tables, so it
// also serves images of a few regions. Knows nothing of vmalloc memory: the addresses of such memory may give
// a physical address at which something else is, so ask where exactness matters only what is known to be in
// the image or in the linear map. An immutable value.
//
// Source: kernel document admin-guide/kdump/vmcoreinfo; docs/formats/kdump.md.
class Translation {
 public:
  // Knows no address.
  Translation() = default;

  // `machine` is an EM_ number: 62 x86-64, 183 arm64, 243 riscv64; others know only what `known` teaches.
  // Where VMCOREINFO does not export a distance (the random base of x86-64's linear map never is) it is
  // learned from `known`: the distance that most bytes have. Total.
  static Translation Of(uint16_t machine, const Vmcoreinfo& info, absl::Span<const KnownMapping> known);

  // nullopt for an address that is neither in the image nor in the linear map.
  std::optional<uint64_t> ToPhysical(uint64_t vaddr) const;

  // `vaddr` without what arm64 keeps in the upper bits of a pointer (tags, authentication).
  uint64_t Canonical(uint64_t vaddr) const;

  // The last address up to which nothing changes from the canonical `vaddr` on: neither the distance to the
  // physical address, nor that there is none, nor that each address is canonical. May be lower than it could
  // be.
  uint64_t LastAlike(uint64_t vaddr) const;

  // True when no address can be translated.
  bool empty() const { return windows_.empty(); }

 private:
  // paddr = vaddr - distance, modulo 2^64, for first <= vaddr <= last.
  struct Window {
    uint64_t first = 0;
    uint64_t last = 0;
    uint64_t distance = 0;
  };

  void AddX86_64(const Vmcoreinfo& info, absl::Span<const KnownMapping> known);
  void AddArm64(const Vmcoreinfo& info);
  void AddRiscv64(const Vmcoreinfo& info);
  void AddLearned(absl::Span<const KnownMapping> known);

  std::vector<Window> windows_;  // the first that has the address answers
  uint64_t not_address_ =
      0;  // bits of a kernel pointer that may hold something else, and are ones in an address
};

}  // namespace corefleet

#endif  // COREFLEET_CORE_KDUMP_TRANSLATION_H_

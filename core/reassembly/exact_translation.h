#ifndef COREFLEET_CORE_REASSEMBLY_EXACT_TRANSLATION_H_
#define COREFLEET_CORE_REASSEMBLY_EXACT_TRANSLATION_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "core/kdump/translation.h"
#include "core/vmcoreinfo/vmcoreinfo.h"

namespace corefleet {

// Translation by arithmetic, only where it cannot lead to another object's bytes: an address has two names,
// and a region that was saved under one of them may be asked for by the other. What loads with both addresses
// contradict is not used at all. An immutable value.
class ExactTranslation {
 public:
  // Translates nothing.
  ExactTranslation() = default;

  // `machine` is an EM_ number; `known` the memory whose both addresses are known.
  ExactTranslation(uint16_t machine, const Vmcoreinfo& info, absl::Span<const KnownMapping> known);

  // nullopt when it is not certain.
  std::optional<uint64_t> ToPhysical(uint64_t vaddr) const;
  // The last address up to which ToPhysical gives one distance, or nothing, from the canonical `vaddr` on.
  // May be lower than it could be.
  uint64_t LastAlike(uint64_t vaddr) const;
  // Without what arm64 keeps in the upper bits of a pointer.
  uint64_t Canonical(uint64_t vaddr) const { return translation_.Canonical(vaddr); }

 private:
  void FindImage(const Vmcoreinfo& info, absl::Span<const KnownMapping> known);

  uint16_t machine_ = 0;
  Translation translation_;
  std::vector<uint64_t> contradicted_;  // distances vaddr - paddr that some load is against; sorted
  // Of arm64's image: its distance, and the part of it that is certain to be image. Vmalloc memory follows.
  std::optional<uint64_t> image_distance_;
  uint64_t image_first_ = 0;
  uint64_t image_last_ = 0;
};

}  // namespace corefleet

#endif  // COREFLEET_CORE_REASSEMBLY_EXACT_TRANSLATION_H_

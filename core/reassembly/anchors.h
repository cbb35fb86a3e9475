#ifndef COREFLEET_CORE_REASSEMBLY_ANCHORS_H_
#define COREFLEET_CORE_REASSEMBLY_ANCHORS_H_

#include <vector>

#include "core/meminspect/region_ids.h"
#include "core/reassembly/piece.h"
#include "core/vmcoreinfo/vmcoreinfo.h"

namespace corefleet {

// The printk ring buffer's own header, as far as it places other regions. Sizes follow from the bit counts.
struct RingHeader {
  uint64_t descs = 0;  // run-time virtual addresses
  uint64_t infos = 0;
  uint64_t data = 0;
  uint64_t descs_size = 0;  // bytes
  uint64_t infos_size = 0;
  uint64_t data_size = 0;
};

// Reads it out of the first bytes of struct printk_ringbuffer, by VMCOREINFO's offsets or the 64-bit
// defaults. nullopt unless the counts are plausible (at most 2^24 records, 2^30 bytes of text).
std::optional<RingHeader> ReadRingHeader(ByteView head, const Vmcoreinfo& vmcoreinfo);

// Knows some regions by what is in them.
class Anchors {
 public:
  enum class Verdict {
    kNo,       // the content belongs somewhere else
    kUnknown,  // the content says nothing
    kYes,      // the content is what this slot must have, and no other has
  };

  // All must outlive it. Slots have their ids by now.
  Anchors(MeminspectSeries series, const Vmcoreinfo& vmcoreinfo, const std::vector<Slot>& slots);

  // Whether `piece`, which has the slot's size, is what the slot must have.
  Verdict Check(const Slot& slot, const Piece& piece) const;

 private:
  Verdict CheckPrb(const Piece& piece) const;
  Verdict CheckRing(absl::string_view symbol, const Piece& piece) const;
  Verdict CheckMemSection(const Slot& slot, const Piece& piece) const;
  bool IsUtsname(const Piece& piece) const;

  MeminspectSeries series_;
  const Vmcoreinfo& vmcoreinfo_;
  std::optional<uint64_t> static_ring_, dynamic_ring_, static_descs_;
};

}  // namespace corefleet

#endif  // COREFLEET_CORE_REASSEMBLY_ANCHORS_H_

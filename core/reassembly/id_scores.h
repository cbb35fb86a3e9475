#ifndef COREFLEET_CORE_REASSEMBLY_ID_SCORES_H_
#define COREFLEET_CORE_REASSEMBLY_ID_SCORES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/meminspect/region_ids.h"
#include "core/reassembly/piece.h"
#include "core/vmcoreinfo/vmcoreinfo.h"

namespace corefleet {

// The run-time address of what a series registers under `id`, if VMCOREINFO tells it.
std::optional<uint64_t> SymbolAddressOfId(MeminspectSeries series, uint32_t id, const Vmcoreinfo& vmcoreinfo);

// How well each slot goes with each id of a series, and how ill it is to skip an id: what slots are aligned
// with ids by. All of them are found once, for the alignment asks for each many times. Not thread-safe.
class IdScores {
 public:
  // The ids that a slot can have: [kIdStart, kIdEnd).
  static constexpr size_t kIdEnd = kMaxRegionId + 1;
  static constexpr size_t kIdStart = kConfigId;

  IdScores(MeminspectSeries series, const std::vector<Piece>& pieces, const Vmcoreinfo& vmcoreinfo,
           const std::vector<Slot>& slots);

  // From now on as if no region had been received under `id`.
  void TakeAway(uint32_t id);

  // `id` lies in the range above.
  int Match(size_t slot, size_t id) const { return match_[slot][id]; }
  // `slots_left`: slots are left to be explained.
  int Skip(size_t id, bool slots_left) const { return (slots_left ? skip_ : skip_at_end_)[id]; }

 private:
  // What the slots must know of themselves.
  struct Place {
    std::optional<uint64_t> vaddr;
    uint64_t size = 0;
    bool usable = true;
  };

  void ScoreId(uint32_t id);
  int ScoreWhatItIs(uint32_t id, uint64_t size) const;
  int ScoreWhatCame(uint32_t id, uint64_t size) const;
  int ScoreSkip(uint32_t id, bool slots_left) const;

  MeminspectSeries series_;
  std::vector<Place> places_;
  std::array<std::vector<uint64_t>, kIdEnd> received_;  // sizes, rounded up to 4
  std::array<std::optional<uint64_t>, kIdEnd> address_;
  std::vector<std::array<int, kIdEnd>> match_;  // one a slot
  std::array<int, kIdEnd> skip_{};
  std::array<int, kIdEnd> skip_at_end_{};
};

}  // namespace corefleet

#endif  // COREFLEET_CORE_REASSEMBLY_ID_SCORES_H_

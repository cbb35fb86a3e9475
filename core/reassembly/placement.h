#ifndef COREFLEET_CORE_REASSEMBLY_PLACEMENT_H_
#define COREFLEET_CORE_REASSEMBLY_PLACEMENT_H_

#include <vector>

#include "core/reassembly/anchors.h"
#include "core/reassembly/piece.h"

namespace corefleet {

// Which piece fills which slot.
struct Placement {
  std::vector<std::optional<size_t>> piece_of_slot;  // index into the pieces
  std::vector<std::optional<size_t>> slot_of_piece;
  // Pieces that say they are what another piece already is: the slot that the other one fills.
  std::vector<std::optional<size_t>> duplicate_of_slot;
};

// Fills the slots. In this order: what the content itself tells; what address, or else id, and size agree on;
// what is left over when names were exchanged, if sizes leave one way only; and last, regions of another size
// than their slot's (cut short, or too long). What could go to several places is left unplaced and reported,
// never guessed.
//
// `skip[i]` marks pieces that are no memory (the header region, VMCOREINFO).
Placement Place(const std::vector<Piece>& pieces, const std::vector<bool>& skip,
                const std::vector<Slot>& slots, const Anchors& anchors, std::vector<Defect>* defects);

// "Kprb_info 24": what to call the region that must fill a slot.
std::string SlotLabel(MeminspectSeries series, const Slot& slot);

}  // namespace corefleet

#endif  // COREFLEET_CORE_REASSEMBLY_PLACEMENT_H_

#include "core/reassembly/foreign_regions.h"

#include <algorithm>

namespace corefleet {
namespace {

// "OCIMEM" of "OCIMEM.BIN".
std::string StemOf(const std::string& file_name) { return file_name.substr(0, file_name.rfind('.')); }

}  // namespace

void AddSlotsOfForeignRegions(const RegionSet& set, const Inventory& inventory, const std::vector<bool>& skip,
                              std::vector<Slot>* slots) {
  for (size_t p = 0; p < inventory.pieces.size(); ++p) {
    const Piece& piece = inventory.pieces[p];
    if (skip[p] || !piece.paddr || !piece.name.empty()) continue;
    Slot slot;
    slot.paddr = *piece.paddr;
    slot.has_paddr = true;
    slot.size = piece.table_size.value_or(piece.size);
    slot.row_name = StemOf(set.regions[piece.region].file_name);
    if (slot.size == 0 || slot.size - 1 > UINT64_MAX - slot.paddr) continue;
    const bool there = std::any_of(slots->begin(), slots->end(), [&](const Slot& other) {
      return other.has_paddr && other.paddr == slot.paddr && other.size == slot.size;
    });
    if (!there) slots->push_back(std::move(slot));
  }
}

}  // namespace corefleet

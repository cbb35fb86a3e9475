#include "core/reassembly/placement.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"

namespace corefleet {
namespace {

using Verdict = Anchors::Verdict;

std::string PlaceName(const Slot& slot) {
  std::string name = slot.id ? absl::StrCat("region ", *slot.id) : "the region";
  if (slot.has_paddr) return absl::StrCat(name, " at physical 0x", absl::Hex(slot.paddr));
  return absl::StrCat(name, " at 0x", absl::Hex(slot.vaddr));
}

constexpr int kMaxRounds = 64;

// One run of Place. Not reused.
class Placer {
 public:
  Placer(const std::vector<Piece>& pieces, const std::vector<bool>& skip, const std::vector<Slot>& slots,
         const Anchors& anchors, std::vector<Defect>* defects)
      : pieces_(pieces), slots_(slots), anchors_(anchors), defects_(*defects), skip_(skip) {
    result_.piece_of_slot.resize(slots.size());
    result_.slot_of_piece.resize(pieces.size());
    result_.duplicate_of_slot.resize(pieces.size());
    claims_.resize(pieces.size());
    claimants_.resize(slots.size());
    verdicts_.resize(pieces.size() * slots.size());
    for (size_t p = 0; p < pieces.size(); ++p) {
      // The header region under another region's name leaves that one's slot to whoever has its bytes.
      const bool says_no_memory = pieces[p].id == kElfHeaderId || pieces[p].id == kVmcoreinfoId;
      if (!skip_[p] || !says_no_memory) claims_[p] = ClaimOf(p);
      if (claims_[p]) claimants_[*claims_[p]].push_back(p);
    }
  }

  Placement Run() {
    PlaceByContent();
    PlaceByClaim();
    PlaceExchanged();
    PlaceOtherSizes();
    MarkDuplicates();
    return std::move(result_);
  }

 private:
  bool IsOpen(size_t s) const { return slots_[s].can_be_filled() && !result_.piece_of_slot[s]; }
  bool IsLeft(size_t p) const {
    return !skip_[p] && !result_.slot_of_piece[p] && !result_.duplicate_of_slot[p];
  }
  bool Fits(size_t p, size_t s) const { return RoundUp4(pieces_[p].size) == RoundUp4(slots_[s].size); }
  Verdict Check(size_t p, size_t s) const {
    std::optional<Verdict>& verdict = verdicts_[p * slots_.size() + s];
    if (!verdict) verdict = anchors_.Check(slots_[s], pieces_[p]);
    return *verdict;
  }

  void Put(size_t p, size_t s) {
    result_.piece_of_slot[s] = p;
    result_.slot_of_piece[p] = s;
  }

  void PutMislabelled(size_t p, size_t s, absl::string_view why) {
    Put(p, s);
    if (!claims_[p] && !pieces_[p].id) return;  // it never said what it was
    if (claims_[p] == s || (!slots_[s].id && !claims_[p])) return;
    defects_.push_back(
        {DefectCode::kRegionMislabelled, pieces_[p].label,
         absl::StrCat("it is ", PlaceName(slots_[s]), ", by its ", why, ", whatever it is called")});
  }

  std::optional<size_t> SlotAt(const Piece& piece) const {
    const uint64_t size = piece.table_size.value_or(piece.size);
    std::optional<size_t> best;
    int best_rank = 0;
    for (size_t s = 0; s < slots_.size(); ++s) {
      const Slot& slot = slots_[s];
      if (!slot.has_paddr || slot.paddr != *piece.paddr || !slot.can_be_filled()) continue;
      const int rank = 1 + 4 * (RoundUp4(slot.size) == RoundUp4(size)) + 2 * (slot.id && slot.id == piece.id);
      if (rank > best_rank) {
        best = s;
        best_rank = rank;
      }
    }
    return best;
  }

  // The slot that the piece's hints speak for: its address, or else its id.
  std::optional<size_t> ClaimOf(size_t p) {
    const Piece& piece = pieces_[p];
    for (size_t s = 0; s < slots_.size(); ++s) {
      if (slots_[s].made_of == p) return s;
    }
    if (piece.paddr) {
      if (std::optional<size_t> slot = SlotAt(piece)) return slot;
    }
    if (!piece.id) return std::nullopt;
    for (size_t s = 0; s < slots_.size(); ++s) {
      if (slots_[s].id != piece.id || slots_[s].size == 0) continue;
      if (piece.paddr && slots_[s].has_paddr && slots_[s].usable) {
        defects_.push_back({DefectCode::kAddressTableDamaged, piece.label,
                            absl::StrCat("the address table has it at 0x", absl::Hex(*piece.paddr),
                                         ", where no program header is; placed by its id instead")});
      }
      return s;
    }
    return std::nullopt;
  }

  void PlaceByContent() {
    for (size_t s = 0; s < slots_.size(); ++s) {
      if (!IsOpen(s)) continue;
      std::vector<size_t> candidates;
      for (size_t p = 0; p < pieces_.size(); ++p) {
        if (IsLeft(p) && Fits(p, s) && Check(p, s) == Verdict::kYes) candidates.push_back(p);
      }
      if (candidates.empty()) continue;
      auto claimant =
          std::find_if(candidates.begin(), candidates.end(), [&](size_t p) { return claims_[p] == s; });
      PutMislabelled(claimant != candidates.end() ? *claimant : candidates.front(), s, "content");
    }
  }

  void PlaceByClaim() {
    for (size_t p = 0; p < pieces_.size(); ++p) {
      if (!IsLeft(p) || !claims_[p]) continue;
      const size_t s = *claims_[p];
      if (!Fits(p, s) || Check(p, s) == Verdict::kNo) continue;
      if (IsOpen(s)) {
        Put(p, s);
      } else if (slots_[s].usable && claims_[*result_.piece_of_slot[s]] == s) {
        result_.duplicate_of_slot[p] = s;
      }
    }
  }

  // The open slots that a left-over piece may have been exchanged into. A piece shorter than its own slot is
  // more likely cut than exchanged, unless the slot that it would fit lost its own file to the same exchange.
  std::vector<size_t> ExchangeTargets(size_t p, const std::vector<bool>& exchanged) const {
    std::vector<size_t> targets;
    const size_t own = claims_[p] && IsOpen(*claims_[p]) ? *claims_[p] : slots_.size();
    const bool perhaps_cut = own < slots_.size() && pieces_[p].size < slots_[own].size;
    const bool belongs_nowhere = claims_[p] && !slots_[*claims_[p]].usable;
    for (size_t s = 0; s < slots_.size(); ++s) {
      if (!IsOpen(s) || s == own || pieces_[p].size != slots_[s].size || Check(p, s) == Verdict::kNo)
        continue;
      bool claimed = false, claimant_elsewhere = false, claimant_stays = false;
      for (size_t q : claimants_[s]) {
        if (q == p) continue;
        claimed = true;
        if (skip_[q] || result_.slot_of_piece[q] || exchanged[q]) {
          claimant_elsewhere = true;
        } else if (IsLeft(q)) {
          claimant_stays = true;
        }
      }
      const bool free = !claimed && !perhaps_cut && !belongs_nowhere;
      if (free || (claimant_elsewhere && !claimant_stays)) targets.push_back(s);
    }
    return targets;
  }

  void PlaceExchanged() {
    std::vector<bool> exchanged(pieces_.size());
    for (size_t p = 0; p < pieces_.size(); ++p) exchanged[p] = IsLeft(p);
    // A piece that fits nowhere else stays where it says it belongs, and that may take a target from another
    // one.
    bool changed = true;
    for (int round = 0; changed && round < kMaxRounds; ++round) {
      changed = false;
      for (size_t p = 0; p < pieces_.size(); ++p) {
        if (!exchanged[p] || !ExchangeTargets(p, exchanged).empty()) continue;
        exchanged[p] = false;
        changed = true;
      }
    }
    if (changed) return;  // hostile: no real mix-up needs so many rounds
    std::map<uint64_t, std::vector<size_t>> by_size;
    for (size_t p = 0; p < pieces_.size(); ++p) {
      if (exchanged[p]) by_size[pieces_[p].size].push_back(p);
    }
    for (const auto& [size, group] : by_size) PlaceGroup(size, group, exchanged);
  }

  bool AllEqual(const std::vector<size_t>& group) const {
    return std::all_of(group.begin(), group.end(), [&](size_t p) {
      return pieces_[p].size <= kHeadBytes && pieces_[p].head == pieces_[group.front()].head;
    });
  }

  void PlaceGroup(uint64_t size, const std::vector<size_t>& group, const std::vector<bool>& exchanged) {
    std::vector<size_t> targets;
    for (size_t p : group) {
      for (size_t s : ExchangeTargets(p, exchanged)) {
        if (std::find(targets.begin(), targets.end(), s) == targets.end()) targets.push_back(s);
      }
    }
    std::sort(targets.begin(), targets.end());
    const bool only_way = group.size() == 1 && targets.size() == 1;
    if (only_way || (AllEqual(group) && group.size() == targets.size())) {
      for (size_t i = 0; i < group.size(); ++i) PutMislabelled(group[i], targets[i], "size");
      ReportSuspects(size, group);
      return;
    }
    std::vector<std::string> places;
    for (size_t s : targets) places.push_back(PlaceName(slots_[s]));
    for (size_t p : group) {
      std::string list;
      for (size_t i = 0; i < places.size() && i < 8; ++i)
        absl::StrAppend(&list, i == 0 ? "" : ", ", places[i]);
      ambiguous_.push_back(p);
      defects_.push_back(
          {DefectCode::kRegionAmbiguous, pieces_[p].label,
           absl::StrCat("its name is wrong or missing, and its ", size, " bytes fit ", targets.size(),
                        " places equally well: ", list, "; it was put in none of them")});
    }
  }

  // Once one name of a size class is proven wrong, no other name in it is proven right.
  void ReportSuspects(uint64_t size, const std::vector<size_t>& group) {
    size_t unproven = 0;
    for (size_t p = 0; p < pieces_.size(); ++p) {
      const std::optional<size_t> s = result_.slot_of_piece[p];
      if (s && claims_[p] == s && pieces_[p].size == size && Check(p, *s) != Verdict::kYes) ++unproven;
    }
    const bool named =
        std::any_of(group.begin(), group.end(), [&](size_t p) { return claims_[p].has_value(); });
    if (unproven == 0 || !named) return;
    defects_.push_back({DefectCode::kRegionAmbiguous, pieces_[group.front()].label,
                        absl::StrCat("names were mixed up; ", unproven, " other regions of ", size,
                                     " bytes went by their names, and could be exchanged unseen")});
  }

  void PlaceOtherSizes() {
    for (size_t p = 0; p < pieces_.size(); ++p) {
      if (!IsLeft(p) || !claims_[p] || !IsOpen(*claims_[p])) continue;
      if (std::find(ambiguous_.begin(), ambiguous_.end(), p) != ambiguous_.end()) continue;
      const size_t s = *claims_[p];
      const bool contradicted = pieces_[p].size >= slots_[s].size && Check(p, s) == Verdict::kNo;
      if (contradicted && !Fits(p, s)) continue;
      Put(p, s);
      if (!contradicted) continue;
      defects_.push_back({DefectCode::kRegionAmbiguous, pieces_[p].label,
                          absl::StrCat("its content is not what ", PlaceName(slots_[s]),
                                       " should have; taken by its name, as nothing else fits there")});
    }
  }

  void MarkDuplicates() {
    for (size_t p = 0; p < pieces_.size(); ++p) {
      if (!IsLeft(p) || !claims_[p]) continue;
      const std::optional<size_t> other = result_.piece_of_slot[*claims_[p]];
      if (other && claims_[*other] == claims_[p]) result_.duplicate_of_slot[p] = claims_[p];
    }
  }

  const std::vector<Piece>& pieces_;
  const std::vector<Slot>& slots_;
  const Anchors& anchors_;
  std::vector<Defect>& defects_;
  const std::vector<bool>& skip_;
  std::vector<std::optional<size_t>> claims_;
  std::vector<std::vector<size_t>> claimants_;            // of each slot
  mutable std::vector<std::optional<Verdict>> verdicts_;  // one a piece and slot, found when first asked for
  std::vector<size_t> ambiguous_;
  Placement result_;
};

}  // namespace

std::string SlotLabel(MeminspectSeries series, const Slot& slot) {
  if (!slot.row_name.empty()) return RegionLabel(slot.row_name, slot.id);
  if (slot.id) return RegionLabel(std::string(DriverNameOfId(series, *slot.id)), slot.id);
  return absl::StrCat("0x", absl::Hex(slot.has_paddr ? slot.paddr : slot.vaddr));
}

Placement Place(const std::vector<Piece>& pieces, const std::vector<bool>& skip,
                const std::vector<Slot>& slots, const Anchors& anchors, std::vector<Defect>* defects) {
  return Placer(pieces, skip, slots, anchors, defects).Run();
}

}  // namespace corefleet

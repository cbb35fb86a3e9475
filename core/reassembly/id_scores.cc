#include "core/reassembly/id_scores.h"

#include <algorithm>

namespace corefleet {
namespace {

// Only their order of magnitude matters: an address decides, a series' own sizes outweigh what arrived under
// an id (names may be mixed up), and what arrived decides where the series is silent.
constexpr int kAddressAgrees = 50;
constexpr int kAddressDiffers = -60;
constexpr int kSeriesAgrees = 6;
constexpr int kSeriesDiffers = -10;
constexpr int kNotOfSeries = -8;
constexpr int kDynamic = 3;
constexpr int kReceivedExact = 4;
constexpr int kReceivedExactLarge = 6;
constexpr int kReceivedOther = -1;
constexpr int kNotReceived = -3;
constexpr int kSeriesIdSkipped = -5;
constexpr int kReceivedIdSkipped = -12;
constexpr int kDynamicIdSkipped = -1;

}  // namespace

std::optional<uint64_t> SymbolAddressOfId(MeminspectSeries series, uint32_t id,
                                          const Vmcoreinfo& vmcoreinfo) {
  const absl::string_view symbol = SymbolOfId(series, id);
  // Quirk: mem_section is a pointer in most kernels, and VMCOREINFO then has its value, not its address.
  if (symbol.empty() || symbol == "mem_section") return std::nullopt;
  return vmcoreinfo.Symbol(symbol);
}

IdScores::IdScores(MeminspectSeries series, const std::vector<Piece>& pieces, const Vmcoreinfo& vmcoreinfo,
                   const std::vector<Slot>& slots)
    : series_(series), match_(slots.size()) {
  for (const Piece& piece : pieces) {
    if (piece.id && *piece.id < kIdEnd) received_[*piece.id].push_back(RoundUp4(piece.size));
  }
  for (const Slot& slot : slots) {
    const auto vaddr = slot.has_vaddr ? std::optional<uint64_t>(slot.vaddr) : std::nullopt;
    places_.push_back({vaddr, slot.size, slot.usable});
  }
  for (uint32_t id = kIdStart; id < kIdEnd; ++id) {
    address_[id] = SymbolAddressOfId(series, id, vmcoreinfo);
    ScoreId(id);
  }
}

void IdScores::TakeAway(uint32_t id) {
  if (id < kIdStart || id >= kIdEnd || received_[id].empty()) return;
  received_[id].clear();
  ScoreId(id);
}

void IdScores::ScoreId(uint32_t id) {
  skip_[id] = ScoreSkip(id, /*slots_left=*/true);
  skip_at_end_[id] = ScoreSkip(id, /*slots_left=*/false);
  // But for its address, a slot goes with an id by its size, and many slots have the size of the one before.
  const bool by_its_size = !received_[id].empty() || !SymbolOfId(series_, id).empty();
  std::optional<uint64_t> size;
  int by_size = 0;
  for (size_t j = 0; j < places_.size(); ++j) {
    const Place& place = places_[j];
    if (place.usable && (!size || (by_its_size && *size != place.size))) {
      size = place.size;
      by_size = ScoreWhatItIs(id, *size) + ScoreWhatCame(id, *size);
    }
    int by_address = 0;
    if (address_[id] && place.vaddr)
      by_address = *address_[id] == *place.vaddr ? kAddressAgrees : kAddressDiffers;
    match_[j][id] = place.usable ? by_size + by_address : 0;
  }
}

int IdScores::ScoreWhatItIs(uint32_t id, uint64_t size) const {
  const bool came = !received_[id].empty();
  if (!SymbolOfId(series_, id).empty()) {
    const bool perhaps_none = id != kConfigId && !IsAlwaysRegistered(series_, id);
    if (perhaps_none && !came) return kNotOfSeries;
    return IsPlausibleSize(series_, id, size) ? kSeriesAgrees : kSeriesDiffers;
  }
  if (id >= FirstDynamicId(series_)) return kDynamic;
  return series_ != MeminspectSeries::kUnknown || !came ? kNotOfSeries : 0;
}

int IdScores::ScoreWhatCame(uint32_t id, uint64_t size) const {
  const std::vector<uint64_t>& received = received_[id];
  if (received.empty()) return kNotReceived;
  if (std::find(received.begin(), received.end(), size) == received.end()) return kReceivedOther;
  return size > 8 ? kReceivedExactLarge : kReceivedExact;
}

int IdScores::ScoreSkip(uint32_t id, bool slots_left) const {
  int score = 0;
  if (IsAlwaysRegistered(series_, id)) score += kSeriesIdSkipped;
  if (!received_[id].empty()) score += kReceivedIdSkipped;
  if (score == 0 && id >= FirstDynamicId(series_) && slots_left) score += kDynamicIdSkipped;
  return score;
}

}  // namespace corefleet

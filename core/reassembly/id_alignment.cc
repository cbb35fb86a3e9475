#include "core/reassembly/id_alignment.h"

#include <algorithm>
#include <array>

#include "absl/strings/match.h"

namespace corefleet {
namespace {

constexpr size_t kIdEnd = kMaxRegionId + 1;
constexpr size_t kIdStart = kConfigId;
constexpr int kImpossible = -1'000'000;

// Scores. Only their order of magnitude matters: an address decides, a series' own sizes outweigh what
// arrived under an id (names may be mixed up), and what arrived decides where the series is silent.
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
constexpr int kSlotWithoutId = -12;
constexpr int kSeriesIdSkipped = -5;
constexpr int kReceivedIdSkipped = -12;
constexpr int kDynamicIdSkipped = -1;
constexpr int kNameOfSeries = 5;
constexpr int kLate = 3;
constexpr char kUnknownName[] = "Kunknown";

uint64_t RoundUp4(uint64_t size) { return size > UINT64_MAX - 3 ? size : (size + 3) & ~uint64_t{3}; }

struct Evidence {
  std::array<std::vector<uint64_t>, kIdEnd> received;  // sizes, rounded up to 4
  std::array<std::optional<uint64_t>, kIdEnd> address;
};

Evidence Gather(MeminspectSeries series, const std::vector<Piece>& pieces, const Vmcoreinfo& vmcoreinfo) {
  Evidence evidence;
  for (const Piece& piece : pieces) {
    if (piece.id && *piece.id < kIdEnd) evidence.received[*piece.id].push_back(RoundUp4(piece.size));
  }
  for (uint32_t id = kIdStart; id < kIdEnd; ++id) {
    evidence.address[id] = SymbolAddressOfId(series, id, vmcoreinfo);
  }
  return evidence;
}

int ScoreMatch(MeminspectSeries series, const Evidence& evidence, const Slot& slot, uint32_t id) {
  if (!slot.usable) return 0;
  int score = 0;
  if (evidence.address[id] && slot.has_vaddr) {
    score += *evidence.address[id] == slot.vaddr ? kAddressAgrees : kAddressDiffers;
  }
  const bool known = !SymbolOfId(series, id).empty();
  const std::vector<uint64_t>& received = evidence.received[id];
  const bool perhaps_none = id != kConfigId && !IsAlwaysRegistered(series, id);
  if (known && perhaps_none && received.empty()) {
    score += kNotOfSeries;
  } else if (known) {
    score += IsPlausibleSize(series, id, slot.size) ? kSeriesAgrees : kSeriesDiffers;
  } else if (id >= FirstDynamicId(series)) {
    score += kDynamic;
  } else if (series != MeminspectSeries::kUnknown || received.empty()) {
    score += kNotOfSeries;
  }
  if (received.empty()) {
    score += kNotReceived;
  } else if (std::find(received.begin(), received.end(), slot.size) != received.end()) {
    score += slot.size > 8 ? kReceivedExactLarge : kReceivedExact;
  } else {
    score += kReceivedOther;
  }
  return score;
}

int ScoreSkip(MeminspectSeries series, const Evidence& evidence, uint32_t id, bool slots_left) {
  int score = 0;
  if (IsAlwaysRegistered(series, id)) score += kSeriesIdSkipped;
  if (!evidence.received[id].empty()) score += kReceivedIdSkipped;
  if (score == 0 && id >= FirstDynamicId(series) && slots_left) score += kDynamicIdSkipped;
  return score;
}

struct Alignment {
  int score = kImpossible;
  std::vector<std::optional<uint32_t>> ids;  // one a slot
};

// best[j][i]: the best score of explaining slots j.. with ids i.. ; walked forward again to name the ids.
Alignment Align(MeminspectSeries series, const Evidence& evidence, const std::vector<Slot>& slots) {
  const size_t n = slots.size();
  std::vector<std::array<int, kIdEnd + 1>> best(n + 1);
  enum class Step : uint8_t { kMatch, kSkipId, kSlotWithoutId };
  std::vector<std::array<Step, kIdEnd + 1>> step(n + 1);
  for (size_t j = n + 1; j-- > 0;) {
    for (size_t i = kIdEnd + 1; i-- > kIdStart;) {
      const bool slot_left = j < n, id_left = i < kIdEnd;
      if (!slot_left && !id_left) {
        best[j][i] = 0;
        continue;
      }
      int& score = best[j][i] = kImpossible;
      auto offer = [&](int value, Step how) {
        if (value > score) {
          score = value;
          step[j][i] = how;
        }
      };
      if (slot_left && id_left) {
        offer(ScoreMatch(series, evidence, slots[j], i) + best[j + 1][i + 1], Step::kMatch);
      }
      if (id_left) offer(ScoreSkip(series, evidence, i, slot_left) + best[j][i + 1], Step::kSkipId);
      if (slot_left) offer(kSlotWithoutId + best[j + 1][i], Step::kSlotWithoutId);
    }
  }
  Alignment alignment;
  alignment.score = best[0][kIdStart];
  alignment.ids.resize(n);
  for (size_t j = 0, i = kIdStart; j < n;) {
    switch (step[j][i]) {
      case Step::kMatch:
        alignment.ids[j++] = static_cast<uint32_t>(i++);
        break;
      case Step::kSkipId:
        ++i;
        break;
      case Step::kSlotWithoutId:
        ++j;
        break;
    }
  }
  return alignment;
}

constexpr MeminspectSeries kKnownSeries[] = {MeminspectSeries::kV1, MeminspectSeries::kV2,
                                             MeminspectSeries::kV3, MeminspectSeries::kRfc2,
                                             MeminspectSeries::kRfc3};

// True if a name that stands for one or two series stands for this one.
bool SpeaksFor(MeminspectSeries said, MeminspectSeries series) {
  if (IsRfc(said) || IsRfc(series)) return IsRfc(said) && IsRfc(series);
  return (said == MeminspectSeries::kV3) == (series == MeminspectSeries::kV3);
}

int ScoreNames(MeminspectSeries series, const std::vector<Piece>& pieces) {
  int score = 0;
  for (const Piece& piece : pieces) {
    if (!piece.id || *piece.id <= kConfigId) continue;
    const MeminspectSeries said = SeriesOfName(piece.name, *piece.id);
    if (said != MeminspectSeries::kUnknown) {
      score += SpeaksFor(said, series) ? kNameOfSeries : -kNameOfSeries;
    } else if (IsRfc(series) && piece.name != kUnknownName &&
               piece.name == DriverNameOfId(MeminspectSeries::kV1, *piece.id) &&
               piece.name != DriverNameOfId(series, *piece.id)) {
      score -= kNameOfSeries;  // common to all of meminspect
    }
  }
  return score;
}

bool HasId(const std::vector<Piece>& pieces, uint32_t id) {
  return std::any_of(pieces.begin(), pieces.end(), [id](const Piece& p) { return p.id == id; });
}

// The RFC's third revision hands out this id, the second does not have it.
constexpr uint32_t kFirstRfc3Only = 49;

// The id of the one region that was received with a slot's size, if no other slot has that size. Sizes of up
// to 8 bytes tell nothing.
std::optional<uint32_t> IdBySize(const std::vector<Piece>& pieces, const std::vector<Slot>& slots,
                                 const Slot& slot) {
  if (slot.size <= 8 || !slot.usable) return std::nullopt;
  const auto wanted =
      std::count_if(slots.begin(), slots.end(), [&](const Slot& s) { return s.size == slot.size; });
  const Piece* match = nullptr;
  for (const Piece& piece : pieces) {
    if (RoundUp4(piece.size) != slot.size) continue;
    if (match != nullptr) return std::nullopt;
    match = &piece;
  }
  return wanted == 1 && match != nullptr ? match->id : std::nullopt;
}

// What is registered late (a module's region, an id used again) is appended to the table whatever its id: the
// ids of the slots from the end on that are told by size, and are lower than that of a region that fits a
// slot before them.
std::vector<uint32_t> LateIds(const std::vector<Piece>& pieces, const std::vector<Slot>& slots) {
  constexpr size_t kMaxLate = 8;
  std::vector<uint32_t> late;  // last slot first
  for (size_t j = slots.size(); j-- > 0 && late.size() < kMaxLate;) {
    const std::optional<uint32_t> id = IdBySize(pieces, slots, slots[j]);
    if (!id) break;
    const bool out_of_order = std::any_of(slots.begin(), slots.begin() + j, [&](const Slot& before) {
      return before.size > 8 && std::any_of(pieces.begin(), pieces.end(), [&](const Piece& piece) {
               return piece.id && *piece.id > *id && RoundUp4(piece.size) == before.size;
             });
    });
    if (!out_of_order) break;
    late.push_back(*id);
  }
  return late;
}

// The best alignment of a series over every length of the late tail.
Alignment AlignWithTail(MeminspectSeries series, Evidence evidence, std::vector<Slot> slots,
                        const std::vector<uint32_t>& late) {
  const size_t n = slots.size();
  Alignment best = Align(series, evidence, slots);
  for (size_t tail = 1; tail <= late.size(); ++tail) {
    slots.pop_back();
    if (late[tail - 1] < kIdEnd) evidence.received[late[tail - 1]].clear();
    Alignment alignment = Align(series, evidence, slots);
    alignment.score += static_cast<int>(tail) * kLate;
    if (alignment.score <= best.score) continue;
    for (size_t k = tail; k-- > 0;) alignment.ids.push_back(late[k]);
    best = std::move(alignment);
  }
  best.ids.resize(n);
  return best;
}

}  // namespace

std::optional<uint64_t> SymbolAddressOfId(MeminspectSeries series, uint32_t id,
                                          const Vmcoreinfo& vmcoreinfo) {
  const absl::string_view symbol = SymbolOfId(series, id);
  // Quirk: mem_section is a pointer in most kernels, and VMCOREINFO then has its value, not its address.
  if (symbol.empty() || symbol == "mem_section") return std::nullopt;
  return vmcoreinfo.Symbol(symbol);
}

MeminspectSeries AlignIds(const std::vector<Piece>& pieces, const Vmcoreinfo& vmcoreinfo,
                          std::vector<Slot>* slots) {
  const std::vector<uint32_t> late = LateIds(pieces, *slots);
  auto align = [&](MeminspectSeries series) {
    return AlignWithTail(series, Gather(series, pieces, vmcoreinfo), *slots, late);
  };
  MeminspectSeries series = MeminspectSeries::kUnknown;
  Alignment best = align(series);
  bool tied = false;
  for (MeminspectSeries candidate : kKnownSeries) {
    Alignment alignment = align(candidate);
    alignment.score += ScoreNames(candidate, pieces);
    if (alignment.score == best.score) tied = true;
    if (alignment.score <= best.score) continue;
    tied = false;
    series = candidate;
    best = std::move(alignment);
  }
  for (size_t j = 0; j < slots->size(); ++j) (*slots)[j].id = best.ids[j];
  return tied ? MeminspectSeries::kUnknown : series;
}

bool IsRfc1(const std::vector<Piece>& pieces) {
  size_t numbered = 0, plain = 0;
  bool header = false;
  for (const Piece& piece : pieces) {
    if (!absl::StartsWithIgnoreCase(piece.name, "K")) continue;
    ++(piece.id ? numbered : plain);
    header |=
        !piece.id && absl::EqualsIgnoreCase(piece.name, DriverNameOfId(MeminspectSeries::kV1, kElfHeaderId));
  }
  return header && plain > 4 * numbered;
}

void NameRfc1Pieces(std::vector<Piece>* pieces) {
  for (Piece& piece : *pieces) {
    if (piece.id) continue;
    std::optional<uint32_t> id;
    bool unique = true;
    for (uint32_t i = kElfHeaderId; i < kFirstDynamicId; ++i) {
      const absl::string_view name = DriverNameOfId(MeminspectSeries::kV1, i);
      if (name == kUnknownName || !absl::EqualsIgnoreCase(piece.name, name)) continue;
      unique = !id;
      id = i;
    }
    if (unique) piece.id = id;
  }
}

void AlignByEvidence(const std::vector<Piece>& pieces, const Vmcoreinfo& vmcoreinfo,
                     std::vector<Slot>* slots) {
  std::vector<bool> taken(kFirstDynamicId);
  for (Slot& slot : *slots) {
    for (uint32_t id = kConfigId + 1; id < kFirstDynamicId && !slot.id; ++id) {
      const auto address = SymbolAddressOfId(MeminspectSeries::kV1, id, vmcoreinfo);
      if (taken[id] || !address || !slot.has_vaddr || *address != slot.vaddr) continue;
      slot.id = id;
      taken[id] = true;
    }
  }
  for (Slot& slot : *slots) {
    if (slot.id) continue;
    const std::optional<uint32_t> id = IdBySize(pieces, *slots, slot);
    if (!id || *id >= kFirstDynamicId || taken[*id] ||
        !IsPlausibleSize(MeminspectSeries::kV1, *id, slot.size))
      continue;
    slot.id = id;
    taken[*id] = true;
  }
}

MeminspectSeries SeriesOfNames(const std::vector<Piece>& pieces) {
  const int v1 = ScoreNames(MeminspectSeries::kV1, pieces);
  const int v3 = ScoreNames(MeminspectSeries::kV3, pieces);
  const int rfc = ScoreNames(MeminspectSeries::kRfc2, pieces);
  if (rfc > std::max(v1, v3))
    return HasId(pieces, kFirstRfc3Only) ? MeminspectSeries::kRfc3 : MeminspectSeries::kRfc2;
  if (v3 > v1) return MeminspectSeries::kV3;
  if (v1 <= 0) return MeminspectSeries::kUnknown;
  return !HasId(pieces, 36) && HasId(pieces, 37) ? MeminspectSeries::kV2 : MeminspectSeries::kV1;
}

}  // namespace corefleet

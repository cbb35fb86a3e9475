#include "core/reassembly/id_alignment.h"

#include <algorithm>
#include <array>

#include "absl/strings/match.h"
#include "core/reassembly/id_scores.h"

namespace corefleet {
namespace {

constexpr int kSlotWithoutId = -12;
constexpr int kNameOfSeries = 5;
constexpr int kLate = 3;
constexpr int kImpossible = -1'000'000;
constexpr char kUnknownName[] = "Kunknown";

struct Alignment {
  int score = kImpossible;
  std::vector<std::optional<uint32_t>> ids;  // one a slot
};

// One run of Align: the best explanation of `slots` slots by ascending ids.
class Aligner {
 public:
  Aligner(const IdScores& scores, size_t slots) : scores_(scores), n_(slots), steps_(slots) {}

  Alignment Run() {
    Alignment alignment;
    alignment.score = Score();
    alignment.ids = Ids();
    return alignment;
  }

 private:
  enum class Step : uint8_t { kMatch, kSkipId, kSlotWithoutId };
  // At [i]: the best score of explaining the slots from one on with the ids from i on.
  using Row = std::array<int, IdScores::kIdEnd + 1>;

  int Score() {
    Row below{}, row{};
    for (size_t i = IdScores::kIdEnd; i-- > IdScores::kIdStart;)
      below[i] = scores_.Skip(i, /*slots_left=*/false) + below[i + 1];
    for (size_t j = n_; j-- > 0;) {
      row[IdScores::kIdEnd] = kSlotWithoutId + below[IdScores::kIdEnd];
      steps_[j][IdScores::kIdEnd] = Step::kSlotWithoutId;
      for (size_t i = IdScores::kIdEnd; i-- > IdScores::kIdStart;) Explain(j, i, below, &row);
      below = row;
    }
    return below[IdScores::kIdStart];
  }

  // Of equals the first: the id is the slot's, or skipped, or the slot has none.
  void Explain(size_t j, size_t i, const Row& below, Row* row) {
    int best = scores_.Match(j, i) + below[i + 1];
    Step step = Step::kMatch;
    const int skip = scores_.Skip(i, /*slots_left=*/true) + (*row)[i + 1];
    if (skip > best) {
      best = skip;
      step = Step::kSkipId;
    }
    if (const int without = kSlotWithoutId + below[i]; without > best) {
      best = without;
      step = Step::kSlotWithoutId;
    }
    (*row)[i] = best;
    steps_[j][i] = step;
  }

  // Walks the steps forward again to name the ids.
  std::vector<std::optional<uint32_t>> Ids() const {
    std::vector<std::optional<uint32_t>> ids(n_);
    for (size_t j = 0, i = IdScores::kIdStart; j < n_;) {
      switch (steps_[j][i]) {
        case Step::kMatch:
          ids[j++] = static_cast<uint32_t>(i++);
          break;
        case Step::kSkipId:
          ++i;
          break;
        case Step::kSlotWithoutId:
          ++j;
          break;
      }
    }
    return ids;
  }

  const IdScores& scores_;
  const size_t n_;
  std::vector<std::array<Step, IdScores::kIdEnd + 1>> steps_;
};

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
Alignment AlignWithTail(IdScores scores, size_t n, const std::vector<uint32_t>& late) {
  Alignment best = Aligner(scores, n).Run();
  for (size_t tail = 1; tail <= late.size(); ++tail) {
    scores.TakeAway(late[tail - 1]);
    Alignment alignment = Aligner(scores, n - tail).Run();
    alignment.score += static_cast<int>(tail) * kLate;
    if (alignment.score <= best.score) continue;
    for (size_t k = tail; k-- > 0;) alignment.ids.push_back(late[k]);
    best = std::move(alignment);
  }
  best.ids.resize(n);
  return best;
}

}  // namespace

MeminspectSeries AlignIds(const std::vector<Piece>& pieces, const Vmcoreinfo& vmcoreinfo,
                          std::vector<Slot>* slots) {
  const std::vector<uint32_t> late = LateIds(pieces, *slots);
  auto align = [&](MeminspectSeries series) {
    return AlignWithTail(IdScores(series, pieces, vmcoreinfo, *slots), slots->size(), late);
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

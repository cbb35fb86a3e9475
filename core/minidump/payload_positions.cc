#include "core/minidump/payload_positions.h"

#include <algorithm>

namespace corefleet {
namespace {

using State = PayloadPosition::State;
using Check = std::function<bool(size_t, uint64_t)>;

constexpr size_t kMaxPlaces = 4096;

// Sorted places at which a payload may begin; nullopt when there are too many to look at.
using Places = std::optional<std::vector<uint64_t>>;

void Sort(Places* places) {
  std::sort((*places)->begin(), (*places)->end());
  (*places)->erase(std::unique((*places)->begin(), (*places)->end()), (*places)->end());
  if ((*places)->size() > kMaxPlaces) places->reset();
}

bool Contains(const Places& places, uint64_t place) {
  return std::binary_search(places->begin(), places->end(), place);
}

// Payloads [first, last), of which the first begins at `begin` and what follows the last at `end`.
struct Stretch {
  size_t first, last;
  uint64_t begin, end;
  bool first_is_there;  // its content was found at `begin`
  bool ends_the_file;
};

class StretchSolver {
 public:
  StretchSolver(const std::vector<Payload>& payloads, const Check& can_be_at, const Stretch& stretch,
                std::vector<PayloadPosition>* out)
      : payloads_(payloads), can_be_at_(can_be_at), s_(stretch), out_(*out) {}

  void Solve() {
    uint64_t whole = 0;  // cannot overflow: the caller bounds the sum
    for (size_t i = s_.first; i < s_.last; ++i) whole += payloads_[i].size;
    if (whole == s_.end - s_.begin) return PutInARow(State::kAt);
    if (whole > s_.end - s_.begin && LeaveOut()) return;
    Odd(whole);
  }

 private:
  void Put(size_t i, State state, uint64_t offset, uint64_t size) { out_[i] = {state, offset, size}; }

  void PutInARow(State state) {
    uint64_t at = s_.begin;
    for (size_t i = s_.first; i < s_.last; ++i) {
      const uint64_t there = at < s_.end ? std::min(payloads_[i].size, s_.end - at) : 0;
      const bool first = i == s_.first && s_.first_is_there;
      Put(i, there == 0 ? State::kMissing : first ? State::kAt : state, at, there);
      at += payloads_[i].size;
    }
  }

  bool MayBeAt(size_t i, uint64_t place) const {
    if (i == s_.first && s_.first_is_there) return place == s_.begin;
    return payloads_[i].size != 0 && payloads_[i].size <= s_.end - place && can_be_at_(i, place);
  }
  bool MayBeMissing(size_t i) const { return !(i == s_.first && s_.first_is_there); }

  // All ways to leave payloads out. False when there is none, or too many to tell.
  bool LeaveOut() {
    const size_t n = s_.last - s_.first;
    std::vector<Places> places(n + 1);
    places[0] = std::vector<uint64_t>{s_.begin};
    for (size_t k = 0; k < n; ++k) {
      std::vector<uint64_t> next;
      for (uint64_t place : *places[k]) {
        if (MayBeMissing(s_.first + k)) next.push_back(place);
        if (payloads_[s_.first + k].size <= s_.end - place && MayBeAt(s_.first + k, place))
          next.push_back(place + payloads_[s_.first + k].size);
      }
      places[k + 1] = std::move(next);
      Sort(&places[k + 1]);
      if (!places[k + 1]) return false;
    }
    if (!Contains(places[n], s_.end)) return false;
    std::vector<uint64_t> after = {s_.end};  // the places behind payload k from which the end is reached
    for (size_t k = n; k-- > 0;) after = Classify(s_.first + k, places[k], after);
    return true;
  }

  // Decides payload i and returns the places before it from which the end is reached.
  std::vector<uint64_t> Classify(size_t i, const Places& before, const std::vector<uint64_t>& after) {
    const Places good(after);
    std::vector<uint64_t> reached, at;
    bool may_be_missing = false;
    for (uint64_t place : *before) {
      const bool there = payloads_[i].size <= s_.end - place && MayBeAt(i, place) &&
                         Contains(good, place + payloads_[i].size);
      const bool missing = MayBeMissing(i) && Contains(good, place);
      if (there) at.push_back(place);
      may_be_missing |= missing;
      if (there || missing) reached.push_back(place);
    }
    if (at.empty()) {
      Put(i, State::kMissing, 0, 0);
    } else if (at.size() == 1 && (!may_be_missing || payloads_[i].size == 0)) {
      Put(i, State::kAt, at[0], payloads_[i].size);
    } else {
      Put(i, State::kAmbiguous, 0, 0);
    }
    return reached;
  }

  // Some payload has another length than its header says. What was found begins where it was found; of it
  // those bytes are its own that would be even if it were the one that is short.
  void Odd(uint64_t whole) {
    const uint64_t room = s_.end - s_.begin;
    if (s_.ends_the_file && whole > room) return PutInARow(State::kAssumed);
    for (size_t i = s_.first; i < s_.last; ++i) Put(i, State::kAmbiguous, 0, 0);
    if (!s_.first_is_there) return;
    const uint64_t size = payloads_[s_.first].size;
    const uint64_t lost = whole > room ? std::min(size, whole - room) : 0;
    Put(s_.first, State::kAt, s_.begin, std::min(size - lost, room));
  }

  const std::vector<Payload>& payloads_;
  const Check& can_be_at_;
  const Stretch s_;
  std::vector<PayloadPosition>& out_;
};

}  // namespace

std::vector<PayloadPosition> LocatePayloads(const std::vector<Payload>& payloads, uint64_t start,
                                            uint64_t end,
                                            const std::function<bool(size_t, uint64_t)>& can_be_at) {
  std::vector<PayloadPosition> positions(payloads.size());
  uint64_t sum = 0;
  for (const Payload& payload : payloads) {
    if (payload.size > UINT64_MAX / 4 - sum) return positions;  // hostile
    sum += payload.size;
  }
  Stretch stretch{0, 0, start, 0, false, false};
  auto solve = [&](size_t last, uint64_t place, bool ends) {
    stretch.last = last;
    stretch.end = std::max(place, stretch.begin);
    stretch.ends_the_file = ends;
    StretchSolver(payloads, can_be_at, stretch, &positions).Solve();
  };
  for (size_t i = 0; i < payloads.size(); ++i) {
    if (!payloads[i].found_at || *payloads[i].found_at < stretch.begin || *payloads[i].found_at >= end)
      continue;
    if (i > stretch.first || *payloads[i].found_at > stretch.begin) solve(i, *payloads[i].found_at, false);
    stretch = {i, i, *payloads[i].found_at, 0, true, false};
  }
  solve(payloads.size(), end, true);
  return positions;
}

}  // namespace corefleet

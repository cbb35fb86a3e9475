#include "core/reassembly/self_pointers.h"

#include <algorithm>
#include <vector>

namespace corefleet {
namespace {

constexpr uint64_t kMaxLooked = 1 << 20;
constexpr uint64_t kKernelHalf = uint64_t{0xffff} << 48;
constexpr uint32_t kFewestWitnesses = 4;
// Lists of one entry look like heads of another place: they are few, and each says something else.
constexpr uint32_t kWitnessesPerContradiction = 4;

constexpr uint64_t kStep = 64 * 1024;

// Little endian. The compiler makes one load of it; every word of a crash goes through here.
uint64_t WordAt(const uint8_t* at) {
  uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value |= uint64_t{at[i]} << 8 * i;
  return value;
}

// Adds, for every two words in `bytes` that are the same kernel address, where the region would begin if the
// two were a list's empty head. `bytes` are at `offset` of the region.
void TakeVotes(ByteView bytes, uint64_t offset, std::vector<uint64_t>* votes) {
  if (bytes.size() < 16) return;
  uint64_t word = WordAt(bytes.data());
  for (size_t at = 0; at + 16 <= bytes.size(); at += 8) {
    const uint64_t next = WordAt(bytes.data() + at + 8);
    if (word == next && word >= kKernelHalf) votes->push_back(word - (offset + at));
    word = next;
  }
}

// What every list head says, sorted. nullopt if the bytes cannot be read.
std::optional<std::vector<uint64_t>> Votes(const ByteSource& source) {
  const uint64_t size = std::min(source.size(), kMaxLooked);
  std::vector<uint8_t> bytes(std::min(size, kStep + 8));
  std::vector<uint64_t> votes;
  for (uint64_t at = 0; at < size; at += kStep) {
    // The last word of a step is the first one of the next.
    const auto part = absl::MakeSpan(bytes).first(std::min(size - at, kStep + 8));
    if (!source.ReadAt(at, part).ok()) return std::nullopt;
    TakeVotes(part, at, &votes);
  }
  std::sort(votes.begin(), votes.end());
  return votes;
}

}  // namespace

std::optional<SelfAddress> FindSelfAddress(const ByteSource& source) {
  const std::optional<std::vector<uint64_t>> votes = Votes(source);
  if (!votes) return std::nullopt;
  SelfAddress best;
  uint32_t second = 0;
  for (auto vote = votes->begin(); vote != votes->end();) {
    const auto end = std::find_if(vote, votes->end(), [vote](uint64_t other) { return other != *vote; });
    const auto count = static_cast<uint32_t>(end - vote);
    if (count > best.witnesses) {
      second = best.witnesses;
      best = {*vote, count};
    } else {
      second = std::max(second, count);
    }
    vote = end;
  }
  if (best.witnesses < kFewestWitnesses || second > best.witnesses / kWitnessesPerContradiction)
    return std::nullopt;
  return best;
}

}  // namespace corefleet

#include "core/reassembly/self_pointers.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "core/bytes/byte_reader.h"

namespace corefleet {
namespace {

constexpr uint64_t kMaxLooked = 1 << 20;
constexpr uint64_t kKernelHalf = uint64_t{0xffff} << 48;
constexpr uint32_t kFewestWitnesses = 4;
// Lists of one entry look like heads of another place: they are few, and each says something else.
constexpr uint32_t kWitnessesPerContradiction = 4;

constexpr uint64_t kStep = 64 * 1024;
constexpr uint64_t kPointerBytes = 8;

// Where the region would begin, for every two words in `bytes` that are the same kernel address, if the two
// were a list's empty head. Such a head points to itself and lies, as every pointer does, where its size
// divides; what fills memory (all ones, most patterns) does not look like that, and there is much of it.
// `bytes` are at `offset` of the region. Writes them to `votes`, which has room for one a word, and returns
// how many.
//
// Every vote is written and most are written over: among pointers, whether the next two are the same is
// nothing that a processor could foresee.
size_t TakeVotes(ByteView bytes, uint64_t offset, uint64_t* votes) {
  size_t count = 0;
  if (bytes.size() < 2 * kPointerBytes) return count;
  uint64_t word = LoadLittle64(bytes.data());
  for (size_t at = 0; at + 2 * kPointerBytes <= bytes.size(); at += kPointerBytes) {
    const uint64_t next = LoadLittle64(bytes.data() + at + kPointerBytes);
    votes[count] = word - (offset + at);
    count += static_cast<size_t>((word == next) & (word >= kKernelHalf) & (word % kPointerBytes == 0));
    word = next;
  }
  return count;
}

// Removes votes that no other agrees with: one alone neither wins nor contradicts, and sorting them would
// cost more than all the rest. A few of them stay.
void DropLonely(std::vector<uint64_t>* votes) {
  constexpr uint64_t kMix = 0x9e3779b97f4a7c15;
  const int bits = std::bit_width(4 * votes->size());
  std::vector<uint8_t> seen(size_t{1} << bits);
  const auto bucket = [&](uint64_t vote) -> uint8_t& { return seen[vote * kMix >> (64 - bits)]; };
  for (const uint64_t vote : *votes) {
    uint8_t& times = bucket(vote);
    times = std::min<uint8_t>(2, times + 1);
  }
  std::erase_if(*votes, [&](uint64_t vote) { return bucket(vote) < 2; });
}

// What list heads say, sorted, but for what only one of them says. nullopt if the bytes cannot be read.
std::optional<std::vector<uint64_t>> Votes(const ByteSource& source) {
  const uint64_t size = std::min(source.size(), kMaxLooked);
  std::vector<uint8_t> bytes(std::min(size, kStep + kPointerBytes));
  std::vector<uint64_t> some(bytes.size() / kPointerBytes + 1);
  std::vector<uint64_t> votes;
  for (uint64_t at = 0; at < size; at += kStep) {
    // The last word of a step is the first one of the next.
    const auto part = absl::MakeSpan(bytes).first(std::min(size - at, kStep + kPointerBytes));
    if (!source.ReadAt(at, part).ok()) return std::nullopt;
    const size_t count = TakeVotes(part, at, some.data());
    votes.insert(votes.end(), some.begin(), some.begin() + static_cast<ptrdiff_t>(count));
  }
  DropLonely(&votes);
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

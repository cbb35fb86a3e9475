#include "core/minidump/payload_chain.h"

#include <algorithm>
#include <limits>

namespace corefleet {
namespace {

// Only their order of magnitude matters: one place more outweighs a change of the shift, two outweigh a
// distance that cannot be.
constexpr int kPlace = 100;
constexpr int kShiftChanges = -15;
constexpr int kImpossibleDistance = -150;
constexpr uint32_t kMostVotes = 10;
constexpr int kVote = 5;

struct Node {
  size_t payload;
  uint64_t offset;
  int score;
  std::optional<size_t> before;
};

// What it costs that `b` follows `a` in the chain; nullopt when it cannot.
std::optional<int> Cost(const Node& a, const Node& b, const std::vector<uint64_t>& begins) {
  if (a.payload >= b.payload || a.offset >= b.offset) return std::nullopt;
  const uint64_t distance = b.offset - a.offset;
  const uint64_t whole = begins[b.payload] - begins[a.payload];
  const uint64_t own = begins[a.payload + 1] - begins[a.payload];
  if (distance == whole) return 0;
  return distance < own || distance > whole ? kImpossibleDistance : kShiftChanges;
}

}  // namespace

std::vector<std::optional<uint64_t>> ChooseChain(const std::vector<std::vector<PayloadPlace>>& places,
                                                 const std::vector<uint64_t>& sizes) {
  std::vector<uint64_t> begins = {0};  // of each payload if all were there; may wrap in a hostile file, which
  for (uint64_t size : sizes) begins.push_back(begins.back() + size);  // then only costs the chain its score
  std::vector<Node> nodes;
  std::optional<size_t> best;
  for (size_t payload = 0; payload < places.size(); ++payload) {
    for (const PayloadPlace& place : places[payload]) {
      Node node{payload, place.offset, 0, std::nullopt};
      for (size_t i = 0; i < nodes.size(); ++i) {
        const std::optional<int> cost = Cost(nodes[i], node, begins);
        if (!cost || nodes[i].score + *cost <= node.score) continue;
        node.score = nodes[i].score + *cost;
        node.before = i;
      }
      node.score += kPlace + static_cast<int>(std::min(place.votes, kMostVotes)) * kVote;
      nodes.push_back(node);
      if (!best || node.score > nodes[*best].score) best = nodes.size() - 1;
    }
  }
  std::vector<std::optional<uint64_t>> chosen(places.size());
  for (std::optional<size_t> i = best; i; i = nodes[*i].before) chosen[nodes[*i].payload] = nodes[*i].offset;
  return chosen;
}

}  // namespace corefleet

#include "core/kdump/extent_map.h"

#include <algorithm>
#include <queue>
#include <utility>

namespace corefleet {
namespace {

using Extent = ExtentMap::Extent;

bool IsUsable(const Extent& extent) {
  return extent.size != 0 && extent.size <= UINT64_MAX - extent.start &&
         extent.size <= UINT64_MAX - extent.at;
}

// Appends the part [from, to) of `extent`, joined to the last one when they go on in each other.
void Append(const Extent& extent, uint64_t from, uint64_t to, std::vector<Extent>* out) {
  if (from >= to) return;
  const Extent part{from, to - from, extent.at + (from - extent.start)};
  if (!out->empty() && out->back().end() == part.start && out->back().at + out->back().size == part.at) {
    out->back().size += part.size;
  } else {
    out->push_back(part);
  }
}

// One sweep over the edges. The heap has the extents that are open, the latest given on top; those that have
// ended are dropped only when they get there.
std::vector<Extent> Resolve(const std::vector<Extent>& given) {
  std::vector<uint32_t> by_start(given.size());
  for (uint32_t i = 0; i < given.size(); ++i) by_start[i] = i;
  std::stable_sort(by_start.begin(), by_start.end(),
                   [&](uint32_t a, uint32_t b) { return given[a].start < given[b].start; });
  std::vector<Extent> out;
  std::priority_queue<uint32_t> open;
  uint64_t at = 0;
  for (size_t next = 0; next < by_start.size() || !open.empty();) {
    while (!open.empty() && given[open.top()].end() <= at) open.pop();
    if (open.empty()) {
      if (next == by_start.size()) break;
      at = given[by_start[next]].start;
    }
    while (next < by_start.size() && given[by_start[next]].start <= at) open.push(by_start[next++]);
    const Extent& top = given[open.top()];
    const uint64_t to = next < by_start.size() ? std::min(top.end(), given[by_start[next]].start) : top.end();
    Append(top, at, to, &out);
    at = std::max(at, to);
  }
  return out;
}

}  // namespace

ExtentMap::ExtentMap(std::vector<Extent> extents) {
  extents.erase(std::remove_if(extents.begin(), extents.end(), [](const Extent& e) { return !IsUsable(e); }),
                extents.end());
  const auto misplaced = std::adjacent_find(
      extents.begin(), extents.end(), [](const Extent& a, const Extent& b) { return b.start < a.end(); });
  // Nearly every stream is written in order; then there is nothing to resolve.
  extents_ = misplaced == extents.end() ? std::move(extents) : Resolve(extents);
}

const ExtentMap::Extent* ExtentMap::Find(uint64_t address) const {
  const auto found = std::partition_point(extents_.begin(), extents_.end(),
                                          [address](const Extent& e) { return e.end() <= address; });
  return found == extents_.end() || found->start > address ? nullptr : &*found;
}

uint64_t ExtentMap::RunFrom(uint64_t address, uint64_t want) const {
  const Extent* extent = Find(address);
  uint64_t have = 0;
  while (extent != nullptr && have < want) {
    have += extent->end() - (address + have);
    const Extent* const next = extent + 1;
    const bool goes_on = next < extents_.data() + extents_.size() && next->start == extent->end();
    extent = goes_on ? next : nullptr;
  }
  return std::min(have, want);
}

}  // namespace corefleet

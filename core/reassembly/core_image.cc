#include "core/reassembly/core_image.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"

namespace corefleet {

uint64_t CoreImage::StartOf(const Segment& segment, Axis axis) const {
  return axis == Axis::kVirtual ? segment.vaddr : segment.paddr;
}

// One sweep over the segments' edges: between two edges the answer is the first listed segment that is open
// there.
std::vector<CoreImage::Extent> CoreImage::BuildIndex(Axis axis) const {
  struct Edge {
    uint64_t at;
    bool opens;
    uint32_t segment;
  };
  std::vector<Edge> edges;
  bool reaches_end = false;
  for (uint32_t i = 0; i < segments.size(); ++i) {
    const Segment& segment = segments[i];
    const bool known = axis == Axis::kVirtual ? segment.has_vaddr : segment.has_paddr;
    if (!known || segment.available == 0 || !segment.region || *segment.region >= sources.size()) continue;
    const uint64_t start = StartOf(segment, axis);
    if (segment.available - 1 > UINT64_MAX - start) continue;  // leaves the address space
    edges.push_back({start, true, i});
    // A segment that ends with the address space never closes: its end has no address.
    if (start + (segment.available - 1) == UINT64_MAX) {
      reaches_end = true;
    } else {
      edges.push_back({start + segment.available, false, i});
    }
  }
  std::sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) { return a.at < b.at; });

  std::vector<Extent> extents;
  auto append = [&extents](uint64_t first, uint64_t last, uint32_t segment) {
    if (!extents.empty() && extents.back().segment == segment && extents.back().last + 1 == first) {
      extents.back().last = last;
    } else {
      extents.push_back({first, last, segment});
    }
  };
  std::set<uint32_t> open;
  for (size_t i = 0; i < edges.size();) {
    const uint64_t at = edges[i].at;
    for (; i < edges.size() && edges[i].at == at; ++i) {
      if (edges[i].opens) {
        open.insert(edges[i].segment);
      } else {
        open.erase(edges[i].segment);
      }
    }
    if (open.empty()) continue;
    if (i < edges.size()) {
      append(at, edges[i].at - 1, *open.begin());
    } else if (reaches_end) {
      append(at, UINT64_MAX, *open.begin());
    }
  }
  return extents;
}

void CoreImage::IndexSegments() {
  by_vaddr_ = BuildIndex(Axis::kVirtual);
  by_paddr_ = BuildIndex(Axis::kPhysical);
  std::vector<KnownMapping> known;
  for (const Segment& segment : segments) {
    if (segment.has_vaddr && segment.has_paddr)
      known.push_back({.vaddr = segment.vaddr, .paddr = segment.paddr, .size = segment.size});
  }
  translation_ = ExactTranslation(e_machine, vmcoreinfo, known);
}

std::optional<CoreImage::Run> CoreImage::RunAt(Axis axis, uint64_t address, uint64_t want) const {
  const std::vector<Extent>& index = IndexOf(axis);
  const auto extent = std::partition_point(index.begin(), index.end(),
                                           [address](const Extent& e) { return e.last < address; });
  if (want == 0 || extent == index.end() || extent->first > address) return {};
  const Segment& segment = segments[extent->segment];
  // `last - address + 1` would overflow for an extent of the whole address space.
  return Run{*segment.region, address - StartOf(segment, axis),
             std::min(extent->last - address, want - 1) + 1};
}

std::optional<CoreImage::Run> CoreImage::RunByTranslation(uint64_t vaddr, uint64_t want) const {
  const std::optional<uint64_t> paddr = translation_.ToPhysical(vaddr);
  if (!paddr) return {};
  std::optional<Run> run = RunAt(Axis::kPhysical, *paddr, want);
  if (!run) return {};
  // A segment that has the virtual address knows better.
  const auto next = std::partition_point(by_vaddr_.begin(), by_vaddr_.end(),
                                         [vaddr](const Extent& e) { return e.last < vaddr; });
  if (next != by_vaddr_.end()) run->length = std::min(run->length, next->first - vaddr);
  // As far as one distance holds.
  while (translation_.ToPhysical(vaddr + (run->length - 1)) != *paddr + (run->length - 1)) run->length /= 2;
  return run;
}

std::optional<CoreImage::Run> CoreImage::RunAtVirtual(uint64_t vaddr, uint64_t want) const {
  if (std::optional<Run> run = RunAt(Axis::kVirtual, vaddr, want)) return run;
  // Page tables, where there are some, say more than any formula.
  return memory == nullptr ? RunByTranslation(vaddr, want) : std::nullopt;
}

template <typename Find>
absl::Status CoreImage::Read(uint64_t address, absl::Span<uint8_t> out, Find find) const {
  while (!out.empty()) {
    const std::optional<Run> run = find(address, out.size());
    if (!run)
      return absl::NotFoundError(absl::StrCat("address 0x", absl::Hex(address), " is not in the image"));
    const absl::Status status = sources[run->region]->ReadAt(run->offset, out.first(run->length));
    if (!status.ok()) return status;
    out.remove_prefix(run->length);
    address += run->length;
    if (address == 0 && !out.empty()) return absl::NotFoundError("the read leaves the address space");
  }
  return absl::OkStatus();
}

absl::Status CoreImage::ReadVirtual(uint64_t vaddr, absl::Span<uint8_t> out) const {
  vaddr = translation_.Canonical(vaddr);
  absl::Status status =
      Read(vaddr, out, [this](uint64_t at, uint64_t want) { return RunAtVirtual(at, want); });
  return absl::IsNotFound(status) && memory != nullptr ? memory->ReadVirtual(vaddr, out) : status;
}

absl::Status CoreImage::ReadPhysical(uint64_t paddr, absl::Span<uint8_t> out) const {
  absl::Status status =
      Read(paddr, out, [this](uint64_t at, uint64_t want) { return RunAt(Axis::kPhysical, at, want); });
  return absl::IsNotFound(status) && memory != nullptr ? memory->ReadPhysical(paddr, out) : status;
}

uint64_t CoreImage::ReadableFrom(uint64_t vaddr, uint64_t want) const {
  vaddr = translation_.Canonical(vaddr);
  uint64_t have = 0;
  while (have < want) {
    const std::optional<Run> run = RunAtVirtual(vaddr + have, want - have);
    if (!run) break;
    have += run->length;
    if (vaddr + have == 0) return have;  // the end of the address space
  }
  if (have < want && memory != nullptr) have += memory->ReadableFrom(vaddr + have, want - have);
  return have;
}

uint64_t CoreImage::GapAt(Axis axis, uint64_t address) const {
  const std::vector<Extent>& index = IndexOf(axis);
  const auto next = std::partition_point(index.begin(), index.end(),
                                         [address](const Extent& e) { return e.last < address; });
  if (next == index.end()) return UINT64_MAX - address;  // without the last one, which has no name as a count
  return next->first > address ? next->first - address : 0;
}

uint64_t CoreImage::MissingFrom(uint64_t vaddr, uint64_t want) const {
  // A dump's page tables would have to be asked page by page.
  if (memory != nullptr) return 0;
  vaddr = translation_.Canonical(vaddr);
  uint64_t gap = std::min(want, GapAt(Axis::kVirtual, vaddr));
  const uint64_t last_alike = translation_.LastAlike(vaddr);
  gap = std::min(gap, last_alike - vaddr == UINT64_MAX ? UINT64_MAX : last_alike - vaddr + 1);
  if (const std::optional<uint64_t> paddr = translation_.ToPhysical(vaddr))
    gap = std::min(gap, GapAt(Axis::kPhysical, *paddr));
  return gap;
}

}  // namespace corefleet

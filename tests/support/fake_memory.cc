#include "tests/support/fake_memory.h"

#include <algorithm>
#include <cstring>

namespace corefleet {

absl::Status FakeMemory::ReadVirtual(uint64_t vaddr, absl::Span<uint8_t> out) const {
  if (ReadableFrom(vaddr, out.size()) < out.size()) return absl::NotFoundError("a hole");
  for (size_t done = 0; done < out.size();) {
    const auto& [start, bytes] = *std::prev(pieces_.upper_bound(vaddr + done));
    const size_t skip = vaddr + done - start;
    const size_t n = std::min(out.size() - done, bytes.size() - skip);
    std::memcpy(out.data() + done, bytes.data() + skip, n);
    done += n;
  }
  return absl::OkStatus();
}

uint64_t FakeMemory::ReadableFrom(uint64_t vaddr, uint64_t want) const {
  uint64_t have = 0;
  while (have < want) {
    const auto after = pieces_.upper_bound(vaddr + have);
    if (after == pieces_.begin()) break;
    const auto& [start, bytes] = *std::prev(after);
    const uint64_t skip = vaddr + have - start;
    if (skip >= bytes.size()) break;
    have += std::min<uint64_t>(want - have, bytes.size() - skip);
  }
  return have;
}

FakeMemory MemoryOf(const RingWriter& ring) {
  FakeMemory memory(ring.shape().word, ring.shape().endian);
  memory.Add(ring.descs_vaddr, ring.descs);
  memory.Add(ring.infos_vaddr, ring.infos);
  memory.Add(ring.data_vaddr, ring.data);
  return memory;
}

}  // namespace corefleet

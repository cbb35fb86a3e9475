#include "core/reassembly/self_pointers.h"

#include <algorithm>
#include <map>

#include "core/bytes/byte_reader.h"

namespace corefleet {
namespace {

constexpr uint64_t kMaxLooked = 1 << 20;
constexpr uint64_t kKernelHalf = uint64_t{0xffff} << 48;
constexpr uint32_t kFewestWitnesses = 4;
// Lists of one entry look like heads of another place: they are few, and each says something else.
constexpr uint32_t kWitnessesPerContradiction = 4;

}  // namespace

std::optional<SelfAddress> FindSelfAddress(const ByteSource& source) {
  const auto bytes = ReadBytes(source, 0, std::min(source.size(), kMaxLooked));
  if (!bytes.ok()) return std::nullopt;
  std::map<uint64_t, uint32_t> votes;
  for (uint64_t at = 0; at + 16 <= bytes->size(); at += 8) {
    const uint64_t next = LoadInteger(ByteView(*bytes).subspan(at), 8, Endian::kLittle);
    if (next < kKernelHalf || LoadInteger(ByteView(*bytes).subspan(at + 8), 8, Endian::kLittle) != next)
      continue;
    ++votes[next - at];
  }
  SelfAddress best;
  uint32_t second = 0;
  for (const auto& [vaddr, count] : votes) {
    if (count > best.witnesses) {
      second = best.witnesses;
      best = {vaddr, count};
    } else {
      second = std::max(second, count);
    }
  }
  if (best.witnesses < kFewestWitnesses || second > best.witnesses / kWitnessesPerContradiction)
    return std::nullopt;
  return best;
}

}  // namespace corefleet

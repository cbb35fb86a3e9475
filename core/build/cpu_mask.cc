#include "core/build/cpu_mask.h"

#include <algorithm>

namespace corefleet {

std::vector<uint32_t> CpusOfMask(ByteView mask, uint32_t word, Endian endian) {
  std::vector<uint32_t> cpus;
  mask = mask.subspan(0, std::min(mask.size(), kMaxCpuMaskBytes));
  for (size_t at = 0; at < mask.size(); at += word) {
    const size_t width = std::min<size_t>(word, mask.size() - at);
    const uint64_t bits = LoadInteger(mask.subspan(at), width, endian);
    for (uint32_t bit = 0; bit < width * 8; ++bit) {
      if ((bits >> bit & 1) != 0) cpus.push_back(static_cast<uint32_t>(at * 8) + bit);
    }
  }
  return cpus;
}

}  // namespace corefleet

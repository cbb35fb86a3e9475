#ifndef COREFLEET_CORE_MINIDUMP_PAYLOAD_CHAIN_H_
#define COREFLEET_CORE_MINIDUMP_PAYLOAD_CHAIN_H_

#include <cstdint>
#include <optional>
#include <vector>

namespace corefleet {

// A place in a file where a region may begin.
struct PayloadPlace {
  uint64_t offset = 0;
  uint32_t votes = 0;  // how many pieces of its content say so
};

inline constexpr size_t kMaxPlacesOfPayload = 4;

// Chooses at most one of each region's places (at most kMaxPlacesOfPayload each) so that all that are chosen
// agree best: regions stand in the order of the headers, none runs into the next, and between two of them
// there is not more than the regions between them have. Places that contradict that need more evidence than
// one.
std::vector<std::optional<uint64_t>> ChooseChain(const std::vector<std::vector<PayloadPlace>>& places,
                                                 const std::vector<uint64_t>& sizes);

}  // namespace corefleet

#endif  // COREFLEET_CORE_MINIDUMP_PAYLOAD_CHAIN_H_

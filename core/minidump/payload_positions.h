#ifndef COREFLEET_CORE_MINIDUMP_PAYLOAD_POSITIONS_H_
#define COREFLEET_CORE_MINIDUMP_PAYLOAD_POSITIONS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace corefleet {

// One region that an assembled file should hold.
struct Payload {
  uint64_t size = 0;  // bytes; 0 takes no place
  // Where its content was found; only for content that no other region can have.
  std::optional<uint64_t> found_at;
};

struct PayloadPosition {
  enum class State {
    kAt,         // it is there
    kMissing,    // it is not in the file
    kAmbiguous,  // several places explain the file equally well
    kAssumed,    // taken as if the file were cut at its end, where nothing else explains its size
  };
  State state = State::kMissing;
  uint64_t offset = 0;  // of kAt and kAssumed
  uint64_t size = 0;    // how many of its bytes are surely its own
};

// Finds the regions in a file into which they were written one after the other, without those that were not
// there: what is behind a missing one stands earlier than the headers say.
//
// The file's bytes from `start` to `end` are the regions that were written. Between two regions that were
// found by content, all ways are tried to leave regions out that explain the distance; what all ways agree on
// is the answer, the rest is ambiguous. `can_be_at(payload, offset)` may rule places out by content; it is
// not asked where nothing is missing. Where no way explains a distance, a region has another length than its
// header says: then only what stands before it is known.
//
// Bounded: gives up on a distance (ambiguous) rather than try more than 4096 places at once.
std::vector<PayloadPosition> LocatePayloads(const std::vector<Payload>& payloads, uint64_t start,
                                            uint64_t end,
                                            const std::function<bool(size_t, uint64_t)>& can_be_at);

}  // namespace corefleet

#endif  // COREFLEET_CORE_MINIDUMP_PAYLOAD_POSITIONS_H_

#ifndef COREFLEET_CORE_MINIDUMP_PAYLOAD_ANCHORS_H_
#define COREFLEET_CORE_MINIDUMP_PAYLOAD_ANCHORS_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "core/bytes/byte_source.h"
#include "core/meminspect/region_ids.h"
#include "core/reassembly/piece.h"
#include "core/vmcoreinfo/vmcoreinfo.h"

namespace corefleet {

// Finds regions in a file by content that no other region can have, wherever they are: the banner, the
// utsname, the configuration, the ring's header, its descriptors (each knows its own index), its infos and
// its text (each record knows the other), pointers with a known value, and any region with empty list heads,
// which point at themselves.
//
// One answer a slot: the offset in the file where it begins, if one is found that agrees with the others'
// order. `start` is where the first slot's bytes may begin; slots have their ids by now. Reads all of the
// file, at most its first 256 MiB, three times.
std::vector<std::optional<uint64_t>> FindPayloads(const ByteSource& file, uint64_t start,
                                                  const std::vector<Slot>& slots, MeminspectSeries series,
                                                  const Vmcoreinfo& vmcoreinfo);

}  // namespace corefleet

#endif  // COREFLEET_CORE_MINIDUMP_PAYLOAD_ANCHORS_H_

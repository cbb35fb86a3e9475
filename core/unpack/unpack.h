#ifndef COREFLEET_CORE_UNPACK_UNPACK_H_
#define COREFLEET_CORE_UNPACK_UNPACK_H_

#include <vector>

#include "core/crash/facts.h"
#include "core/unpack/pieces.h"

namespace corefleet {

// A crash taken out of the files it came in.
struct Unpacked {
  // What reassembly works on. The received regions are the first ones, each at its own index and unchanged;
  // artifacts stay kArtifact, but for address tables, which become kAddressTable. What came out of containers
  // follows.
  RegionSet set;
  std::vector<Format> formats;  // of each received region; kUnknown for kMemory ones
  std::vector<KernelText> texts;
  std::vector<Kinfo> kinfos;
  std::optional<DumpedCore> dump;
  std::string source;  // SourceName's word of what the crash came as
  std::vector<Defect> defects;
};

// Looks at every artifact, takes containers apart, and what is in them, three deep. Without an opener
// compressed dumps give only what their header says. Total and bounded: at most kMaxRegions pieces come out
// of a crash; what exceeds that is a defect. The order of `received` changes nothing but the order of the
// answer.
Unpacked Unpack(const RegionSet& received, const DumpOpener* opener);

}  // namespace corefleet

#endif  // COREFLEET_CORE_UNPACK_UNPACK_H_

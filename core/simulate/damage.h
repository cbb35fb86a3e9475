#ifndef COREFLEET_CORE_SIMULATE_DAMAGE_H_
#define COREFLEET_CORE_SIMULATE_DAMAGE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/crash/defect.h"

namespace corefleet {

// What can be done to a crash. In the order in which several of them are done.
enum class DamageKind : uint8_t {
  // To the kernel's own log ring.
  kTornRing,
  kWildHead,
  // To what the header region lists.
  kStaleLoad,
  kEmptyLoad,
  // To the header region and the VMCOREINFO text.
  kNotes,
  kBigEndianHeader,
  kVmcoreinfoCut,
  kNoHeader,
  kNoVmcoreinfo,
  // To regions.
  kNoDescs,
  kNoInfos,
  kMissing,
  kTruncated,
  kOverlong,
  kDuplicate,
  kDuplicateDiffers,
  kSwappedNames,
  kBitFlips,
  // To tables and containers.
  kNoTable,
  kInsufficientStorage,
  kConsumedMark,
  kMissingPart,
  kCut,
};

// What a source is made of, and so what can be done to it.
enum class DamageTarget : uint8_t {
  kLog,      // a ring in memory
  kRegions,  // one file or section a region, listed by an ELF header region
  kTable,    // a list of regions in a file of its own
  kRawDump,  // the Raw_Dmp! container
  kParts,    // several files that belong together
  kFiles,    // anything
};

struct DamageEntry {
  DamageKind kind;
  absl::string_view name;      // "missing"
  absl::string_view argument;  // what stands behind the '=': "", "[NAME]" or "N"
  DamageTarget target;
  // What corefleet says of it, in most cases; nullopt where nothing can be told, or the answer depends.
  std::optional<DefectCode> defect;
  absl::string_view about;
};

// All there are, in the order of DamageKind.
absl::Span<const DamageEntry> AllDamages();

// One damage, as somebody asked for it.
struct Damage {
  DamageKind kind;
  std::string argument;  // a region's name; "" or "random": one that the seed chooses
  uint64_t count = 0;    // of bits
};

const DamageEntry& EntryOf(const Damage& damage);

// Reads "missing=Kprb_info,bit-flips=3". INVALID_ARGUMENT, naming the word, for one that there is not.
absl::StatusOr<std::vector<Damage>> ParseDamages(absl::string_view text);

}  // namespace corefleet

#endif  // COREFLEET_CORE_SIMULATE_DAMAGE_H_

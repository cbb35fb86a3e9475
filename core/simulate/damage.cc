#include "core/simulate/damage.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace corefleet {
namespace {

constexpr uint64_t kMaxBitFlips = 1'000'000;

using Code = DefectCode;
using Kind = DamageKind;
using Target = DamageTarget;

constexpr DamageEntry kDamages[] = {
    {Kind::kTornRing, "torn-ring", "", Target::kLog, Code::kLogGap,
     "a CPU was writing its last record, and a few old texts had just been overwritten"},
    {Kind::kWildHead, "ring-head", "", Target::kLog, Code::kLogDamaged,
     "the ring's head and tail are no ids"},
    {Kind::kStaleLoad, "stale-load", "", Target::kRegions, Code::kRegionMissing,
     "the header lists a region that the kernel had given up (meminspect v1 and v2 do that)"},
    {Kind::kEmptyLoad, "empty-load", "", Target::kRegions, Code::kRegionEmptyHeader,
     "the header lists a region of size 0"},
    {Kind::kNotes, "notes", "", Target::kRegions, Code::kNotesDamaged,
     "the header's last page was somebody else's: the notes are overwritten"},
    {Kind::kBigEndianHeader, "big-endian-header", "", Target::kRegions, Code::kUnsupported,
     "the header says that it is of a big-endian machine"},
    {Kind::kVmcoreinfoCut, "vmcoreinfo-cut", "", Target::kRegions, Code::kVmcoreinfoDamaged,
     "the second half of the VMCOREINFO text was not saved"},
    {Kind::kNoHeader, "no-header", "", Target::kRegions, Code::kHeaderMissing, "region 1 was not saved"},
    {Kind::kNoVmcoreinfo, "no-vmcoreinfo", "", Target::kRegions, Code::kVmcoreinfoMissing,
     "region 2 was not saved"},
    {Kind::kNoDescs, "no-descs", "", Target::kRegions, Code::kRegionMissing,
     "the log's descriptors were not saved"},
    {Kind::kNoInfos, "no-infos", "", Target::kRegions, Code::kRegionMissing,
     "the log's infos (times, levels) were not saved"},
    {Kind::kMissing, "missing", "[NAME]", Target::kRegions, Code::kRegionMissing, "a region was not saved"},
    {Kind::kTruncated, "truncated", "[NAME]", Target::kRegions, Code::kRegionTruncated,
     "a region has only its first half"},
    {Kind::kOverlong, "overlong", "[NAME]", Target::kRegions, Code::kRegionOverlong,
     "a region has bytes behind its end"},
    {Kind::kDuplicate, "duplicate", "[NAME]", Target::kRegions, Code::kRegionDuplicate,
     "a region was saved twice"},
    {Kind::kDuplicateDiffers, "duplicate-differs", "[NAME]", Target::kRegions, Code::kRegionDuplicate,
     "a region was saved twice, and the bytes differ"},
    {Kind::kSwappedNames, "swapped-names", "", Target::kRegions, Code::kRegionMislabelled,
     "two regions' files have each other's names"},
    {Kind::kBitFlips, "bit-flips", "N", Target::kFiles, std::nullopt, "N random bits of the files are wrong"},
    {Kind::kNoTable, "no-table", "", Target::kTable, std::nullopt, "the list of regions was not saved"},
    {Kind::kInsufficientStorage, "insufficient-storage", "", Target::kRawDump, Code::kInsufficientStorage,
     "the partition was too small: the last regions were not saved"},
    {Kind::kConsumedMark, "consumed-mark", "", Target::kRawDump, Code::kCollectedBefore,
     "somebody has taken this crash off the device before"},
    {Kind::kMissingPart, "missing-part", "", Target::kParts, Code::kRecordPartMissing,
     "one of the files that belong together was lost"},
    {Kind::kCut, "cut", "", Target::kFiles, std::nullopt, "the largest file ends after two thirds"},
};

const DamageEntry* Find(absl::string_view name) {
  const auto* found = std::find_if(std::begin(kDamages), std::end(kDamages),
                                   [&](const DamageEntry& entry) { return entry.name == name; });
  return found == std::end(kDamages) ? nullptr : found;
}

absl::StatusOr<Damage> ParseDamage(absl::string_view word) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(word, absl::MaxSplits('=', 1));
  const DamageEntry* entry = Find(parts.first);
  if (entry == nullptr)
    return absl::InvalidArgumentError(absl::StrCat("there is no damage \"", parts.first, "\""));
  if (entry->argument.empty() && !parts.second.empty())
    return absl::InvalidArgumentError(absl::StrCat("\"", entry->name, "\" takes no \"=", parts.second, "\""));
  Damage damage{entry->kind, std::string(parts.second), 0};
  const bool counts = entry->argument == "N";
  if (counts &&
      (!absl::SimpleAtoi(parts.second, &damage.count) || damage.count == 0 || damage.count > kMaxBitFlips)) {
    return absl::InvalidArgumentError(absl::StrCat("\"", entry->name, "\" wants a number from 1 to ",
                                                   kMaxBitFlips, ", as in ", entry->name, "=8"));
  }
  return damage;
}

}  // namespace

absl::Span<const DamageEntry> AllDamages() { return kDamages; }

const DamageEntry& EntryOf(const Damage& damage) { return kDamages[static_cast<size_t>(damage.kind)]; }

absl::StatusOr<std::vector<Damage>> ParseDamages(absl::string_view text) {
  std::vector<Damage> damages;
  for (const absl::string_view word : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    absl::StatusOr<Damage> damage = ParseDamage(word);
    if (!damage.ok()) return damage.status();
    damages.push_back(*std::move(damage));
  }
  std::stable_sort(damages.begin(), damages.end(),
                   [](const Damage& a, const Damage& b) { return a.kind < b.kind; });
  return damages;
}

}  // namespace corefleet

#include "server/admission/wanted_regions.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/meminspect/region_ids.h"

namespace corefleet {
namespace {

// What a region is good for.
enum class Use { kNone, kLead, kLog };

struct Known {
  absl::string_view symbol;  // as the kernel calls it (core/meminspect)
  Use use;
};

// The log's own bytes, and what says where they lie, which kernel wrote them and how sound it was.
constexpr Known kKnown[] = {
    {"the ELF header", Use::kLead},
    {"vmcoreinfo", Use::kLead},
    {"linux_banner", Use::kLead},
    {"init_uts_ns", Use::kLead},
    {"tainted_mask", Use::kLead},
    {"prb", Use::kLead},
    {"printk_rb_static", Use::kLead},
    {"printk_rb_dynamic", Use::kLead},
    {"prb_descs", Use::kLead},
    {"prb_infos", Use::kLead},
    {"__log_buf", Use::kLog},
    // The names of vendors and of kernels before the ring.
    {"log_buf", Use::kLog},
    {"log_buf_len", Use::kLead},
    {"log_first_idx", Use::kLead},
    {"log_next_idx", Use::kLead},
};

// What region tables call these where the kernel's symbol is not it.
constexpr Known kNames[] = {
    {"KELF", Use::kLead},        {"KELF_HDR", Use::kLead},   {"KELF_HEADER", Use::kLead},
    {"Kprb_data", Use::kLog},    {"KLOGBUF", Use::kLog},     {"KLOG_BUF", Use::kLog},
    {"KDMESG", Use::kLog},       {"KLOGDYN", Use::kLog},     {"KBANNER", Use::kLead},
    {"Kvmcoreinfo", Use::kLead}, {"Kunique_id", Use::kLead},
};

// The driver's names have eight letters of the symbol after a K.
constexpr size_t kDriverLetters = 8;

Use UseOfSymbol(absl::string_view symbol) {
  for (const Known& known : kKnown) {
    if (symbol == known.symbol) return known.use;
  }
  return Use::kNone;
}

Use UseOfRegionName(absl::string_view name) {
  for (const Known& known : kNames) {
    if (absl::EqualsIgnoreCase(name, known.symbol)) return known.use;
  }
  for (const Known& known : kKnown) {
    if (absl::EqualsIgnoreCase(name, known.symbol)) return known.use;
    if (name.size() > 1 &&
        absl::EqualsIgnoreCase(name, absl::StrCat("K", known.symbol.substr(0, kDriverLetters))))
      return known.use;
  }
  return Use::kNone;
}

// Ids mean something only with their series, which name and id together give away; most are the same in all.
Use UseOfMemory(const ManifestRegion& region) {
  const Use by_name = UseOfRegionName(region.name);
  if (!region.id) return by_name;
  MeminspectSeries series = SeriesOfName(region.name, *region.id);
  if (series == MeminspectSeries::kUnknown) series = MeminspectSeries::kV1;
  return std::max(by_name, UseOfSymbol(SymbolOfId(series, *region.id)));
}

// A file that is a kernel log and nothing else, by its name: records of pstore, consoles, saved dmesg.
Use UseOfArtifact(const ManifestRegion& region) {
  const std::string name = absl::AsciiStrToLower(region.file_name);
  for (const absl::string_view start :
       {"dmesg-", "console-ramoops", "dmesg.", "kmsg", "last_kmsg", "console."}) {
    if (absl::StartsWith(name, start)) return Use::kLog;
  }
  for (const absl::string_view end : {"dmesg", "dmesg.txt", ".dmesg", "console.log", "kmsg.txt"}) {
    if (absl::EndsWith(name, end)) return Use::kLog;
  }
  return Use::kNone;
}

Use UseOfAnnounced(const ManifestRegion& region) {
  switch (region.kind) {
    case RegionKind::kMemory:
      return UseOfMemory(region);
    case RegionKind::kAddressTable:
      return Use::kLead;
    case RegionKind::kArtifact:
      return UseOfArtifact(region);
  }
  return Use::kNone;
}

// A log buffer that was enlarged at boot has no name of its own ("Kunknown44"): its three arrays are told by
// their sizes, which belong together. A record for each 32 bytes of text, of 24 and of 88 bytes.
void MarkEnlargedLog(const Manifest& manifest, std::vector<Use>* uses) {
  const auto mark = [&](uint64_t size, Use use, bool really) {
    bool any = false;
    for (size_t i = 0; i < uses->size(); ++i) {
      const ManifestRegion& region = manifest.regions[i];
      if (region.kind != RegionKind::kMemory || region.size != size) continue;
      any = true;
      if (really) (*uses)[i] = std::max((*uses)[i], use);
    }
    return any;
  };
  for (int bits = 16; bits <= 31; ++bits) {
    const uint64_t text = uint64_t{1} << bits;
    const uint64_t records = text >> 5;
    const bool all = mark(text, Use::kLog, false) && mark(records * 24, Use::kLead, false) &&
                     mark(records * 88, Use::kLead, false);
    if (!all) continue;
    mark(text, Use::kLog, true);
    mark(records * 24, Use::kLead, true);
    mark(records * 88, Use::kLead, true);
  }
}

std::vector<Use> UsesOf(const Manifest& manifest) {
  std::vector<Use> uses;
  for (const ManifestRegion& region : manifest.regions) uses.push_back(UseOfAnnounced(region));
  MarkEnlargedLog(manifest, &uses);
  return uses;
}

LogPart LogPartOf(const Manifest& manifest, const std::vector<Use>& uses) {
  bool log = false;
  bool other = false;
  for (size_t i = 0; i < uses.size(); ++i) {
    if (manifest.regions[i].size == 0) continue;
    log |= uses[i] == Use::kLog;
    other |= uses[i] == Use::kNone;
  }
  if (!log) return LogPart::kUnknown;
  return other ? LogPart::kSome : LogPart::kAll;
}

}  // namespace

std::vector<bool> WantedRegions(const Manifest& manifest, SessionWant want) {
  std::vector<bool> wanted(manifest.regions.size(), true);
  if (want == SessionWant::kAll) return wanted;
  const std::vector<Use> uses = UsesOf(manifest);
  if (LogPartOf(manifest, uses) != LogPart::kSome) return wanted;
  for (size_t i = 0; i < wanted.size(); ++i) wanted[i] = uses[i] != Use::kNone;
  return wanted;
}

LogPart LogPartOf(const Manifest& manifest) { return LogPartOf(manifest, UsesOf(manifest)); }

}  // namespace corefleet

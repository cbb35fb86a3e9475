#include "core/minidump/vendor_header.h"

#include <algorithm>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/elf/any_elf.h"

namespace corefleet {
namespace {

constexpr char kBannerSection[] = "linux_banner";
// Names that are cut stay at least this long: shorter ones are the beginning of too many.
constexpr size_t kFewestCommonLetters = 5;
constexpr uint64_t kMostSlack = 4096;

bool IsVendorHeader(const AnyElf& elf) {
  if (!elf.is_64 || elf.endian != Endian::kLittle || elf.type != kElfTypeCore) return false;
  if (elf.sections_said < 2 || elf.segments_said == 0) return false;
  return std::none_of(elf.segments.begin(), elf.segments.end(),
                      [](const ProgramHeader& segment) { return segment.type == kSegmentNote; });
}

// The section that describes the same memory as a load.
std::string NameOf(const AnyElf& elf, const ProgramHeader& load) {
  const ElfSection* match = nullptr;
  int best = 0;
  for (const ElfSection& section : elf.sections) {
    if (section.type == kSectionNull || section.type == kSectionStrings) continue;
    const int rank = (section.addr == load.vaddr ? 2 : 0) + (section.offset == load.offset ? 2 : 0) +
                     (section.size == load.file_size ? 1 : 0);
    // One of the two places must agree, and the size or the other.
    if (rank < 3 || rank <= best) continue;
    match = &section;
    best = rank;
  }
  return match == nullptr ? "" : match->name;
}

bool IsBeginning(absl::string_view a, absl::string_view b) {
  return std::min(a.size(), b.size()) >= kFewestCommonLetters &&
         (absl::StartsWith(a, b) || absl::StartsWith(b, a));
}

// The names of the regions' files, in lower case; of regions with one name the first has it as it is, the
// others with a counter.
std::vector<std::string> KeysOf(const std::vector<VendorRegion>& regions) {
  std::map<std::string, size_t> seen;
  std::vector<std::string> keys;
  for (const VendorRegion& region : regions) {
    const std::string name = absl::AsciiStrToLower(region.name);
    const size_t count = seen[name]++;
    keys.push_back(count == 0 ? name : absl::StrCat(name, count));
  }
  return keys;
}

}  // namespace

bool LooksLikeVendorHeader(ByteView head) {
  if (!LooksLikeElf(head)) return false;
  const absl::StatusOr<AnyElf> elf = ReadAnyElf(MemorySource(std::vector<uint8_t>(head.begin(), head.end())));
  return elf.ok() && IsVendorHeader(*elf);
}

std::optional<VendorHeader> ReadVendorHeader(const ByteSource& file) {
  const absl::StatusOr<AnyElf> elf = ReadAnyElf(file);
  if (!elf.ok() || !IsVendorHeader(*elf)) return std::nullopt;
  VendorHeader header;
  for (const ElfSection& section : elf->sections) {
    if (section.type == kSectionStrings && section.size <= UINT64_MAX - section.offset)
      header.size = std::max(header.size, section.offset + section.size);
  }
  for (const ProgramHeader& load : elf->segments) {
    if (load.type != kSegmentLoad) continue;
    VendorRegion region{NameOf(*elf, load), load.vaddr, load.paddr, load.file_size, load.offset, false};
    region.inside = region.name == kBannerSection && region.size <= UINT64_MAX - 3 - region.offset;
    if (region.inside) header.size = std::max(header.size, (region.offset + region.size + 3) & ~uint64_t{3});
    header.regions.push_back(std::move(region));
  }
  // The kernel leaves some slack behind the banner: the first region that is not inside says how much.
  for (const VendorRegion& region : header.regions) {
    if (region.inside) continue;
    if (region.offset >= header.size && region.offset - header.size <= kMostSlack)
      header.size = region.offset;
    break;
  }
  return header;
}

std::string VendorFileKey(absl::string_view name) {
  if (const size_t slash = name.find_last_of("/\\"); slash != absl::string_view::npos)
    name.remove_prefix(slash + 1);
  if (absl::EndsWithIgnoreCase(name, ".bin")) name.remove_suffix(4);
  if (absl::StartsWithIgnoreCase(name, "md_")) name.remove_prefix(3);
  size_t digits = 0;
  while (digits < name.size() && absl::ascii_isxdigit(static_cast<unsigned char>(name[digits]))) ++digits;
  if (digits > 0 && digits < name.size() && name[digits] == '_') name.remove_prefix(digits + 1);
  return absl::AsciiStrToLower(name);
}

std::vector<std::optional<size_t>> MatchVendorFiles(const std::vector<VendorFile>& files,
                                                    const std::vector<VendorRegion>& regions) {
  const std::vector<std::string> keys = KeysOf(regions);
  std::vector<std::optional<size_t>> match(files.size());
  std::vector<bool> taken(regions.size());
  for (size_t f = 0; f < files.size(); ++f) {
    const auto found = std::find(keys.begin(), keys.end(), files[f].key);
    if (found == keys.end()) continue;
    match[f] = static_cast<size_t>(found - keys.begin());
    taken[*match[f]] = true;
  }
  for (size_t f = 0; f < files.size(); ++f) {
    if (match[f]) continue;
    size_t fits = 0, fit = 0;
    for (size_t r = 0; r < regions.size(); ++r) {
      if (taken[r] || regions[r].size != files[f].size || !IsBeginning(keys[r], files[f].key)) continue;
      ++fits;
      fit = r;
    }
    if (fits != 1) continue;
    match[f] = fit;
    taken[fit] = true;
  }
  return match;
}

}  // namespace corefleet

#include "core/taint/taint.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace corefleet {
namespace {

struct KnownBit {
  char letter;
  const char* name;
  const char* meaning;
};

constexpr KnownBit kKnown[kKnownTaintBits] = {
    {'P', "PROPRIETARY_MODULE", "a module with a non-GPL licence was loaded"},
    {'F', "FORCED_MODULE", "a module was loaded by force"},
    {'S', "CPU_OUT_OF_SPEC", "the hardware runs out of its specification"},
    {'R', "FORCED_RMMOD", "a module was removed by force"},
    {'M', "MACHINE_CHECK", "the processor reported a machine check"},
    {'B', "BAD_PAGE", "a bad page or a memory error (KASAN, slab) was found"},
    {'U', "USER", "a user-space program asked for it"},
    {'D', "DIE", "the kernel died recently: there was an oops or a BUG"},
    {'A', "OVERRIDDEN_ACPI_TABLE", "an ACPI table was replaced"},
    {'W', "WARN", "the kernel issued a warning"},
    {'C', "CRAP", "a staging driver was loaded"},
    {'I', "FIRMWARE_WORKAROUND", "a severe firmware bug is being worked around"},
    {'O', "OOT_MODULE", "an out-of-tree module was loaded"},
    {'E', "UNSIGNED_MODULE", "an unsigned module was loaded"},
    {'L', "SOFTLOCKUP", "a soft lockup occurred"},
    {'K', "LIVEPATCH", "the kernel was live patched"},
    {'X', "AUX", "auxiliary taint, for distributions to use"},
    {'T', "RANDSTRUCT", "built with randomised struct layout"},
    {'N', "TEST", "an in-kernel test was run"},
    {'J', "FWCTL", "fwctl's mutating debug interface was used"},
};

constexpr size_t kMaxBits = 64;

bool IsFlagLetter(char c) { return absl::ascii_isupper(c) || c == ' '; }

// The letters of a taint_flags array with this stride; empty unless the whole array reads as one.
std::string LettersAtStride(absl::string_view region, size_t stride) {
  std::string letters;
  for (size_t at = 0; at + 2 <= region.size() && letters.size() < kMaxBits; at += stride) {
    const char set = region[at];
    // The region is padded to a multiple of four with zeros or with what lies behind the array.
    if (stride == 3 && at + stride > region.size()) break;
    if (!absl::ascii_isupper(set) || !IsFlagLetter(region[at + 1])) break;
    letters.push_back(set);
  }
  return letters;
}

// By position: letter i is bit i's. nullopt as soon as one is not.
std::optional<uint64_t> MaskByPosition(absl::string_view flags, const TaintTable& table) {
  uint64_t mask = 0;
  for (size_t bit = 0; bit < flags.size(); ++bit) {
    if (flags[bit] == ' ' || (bit == 0 && flags[bit] == 'G')) continue;
    if (bit >= kMaxBits || flags[bit] != table.letter(bit)) return {};
    mask |= uint64_t{1} << bit;
  }
  return mask;
}

uint64_t MaskByLetters(absl::string_view flags, const TaintTable& table) {
  uint64_t mask = 0;
  for (const char letter : flags) {
    for (uint32_t bit = 0; bit < table.bits(); ++bit) {
      if (letter == table.letter(bit)) mask |= uint64_t{1} << bit;
    }
  }
  return mask;
}

}  // namespace

TaintBit DescribeTaintBit(uint32_t bit) {
  if (bit < kKnownTaintBits) return {bit, kKnown[bit].letter, kKnown[bit].name, kKnown[bit].meaning};
  return {bit, '?', absl::StrCat("bit", bit), "a reason that this version does not know"};
}

std::vector<TaintBit> DescribeTaint(uint64_t mask) {
  std::vector<TaintBit> bits;
  for (uint32_t bit = 0; bit < kMaxBits; ++bit) {
    if ((mask >> bit & 1) != 0) bits.push_back(DescribeTaintBit(bit));
  }
  return bits;
}

TaintTable::TaintTable() {
  letters_.fill('?');
  for (uint32_t bit = 0; bit < kKnownTaintBits; ++bit) letters_[bit] = kKnown[bit].letter;
}

std::optional<TaintTable> TaintTable::FromRegion(ByteView taint_flags) {
  const absl::string_view region = TextOf(taint_flags);
  for (const size_t stride : {size_t{16}, size_t{8}, size_t{3}}) {
    if (region.size() < stride + 2 || !absl::StartsWith(region, "PG")) continue;
    if (region.substr(stride, 2) != "F ") continue;
    const std::string letters = LettersAtStride(region, stride);
    TaintTable table;
    std::copy(letters.begin(), letters.end(), table.letters_.begin());
    table.bits_ = std::max<uint32_t>(kKnownTaintBits, letters.size());
    return table;
  }
  return {};
}

bool TaintTable::differs() const {
  const TaintTable mainline;
  return letters_ != mainline.letters_;
}

std::string TaintTable::Letters(uint64_t mask) const {
  std::string letters;
  for (uint32_t bit = 0; bit < kMaxBits; ++bit) {
    if ((mask >> bit & 1) != 0) letters.push_back(letter(bit));
  }
  return letters;
}

std::optional<TaintText> ParseTaintText(absl::string_view line, const TaintTable& table) {
  constexpr absl::string_view kTainted = "Tainted: ";
  const size_t at = line.find(kTainted);
  if (at == absl::string_view::npos) {
    if (absl::StrContains(line, "Not tainted")) return TaintText{};
    return {};
  }
  absl::string_view flags = line.substr(at + kTainted.size());
  size_t length = 0;
  while (length < flags.size() && IsFlagLetter(flags[length])) ++length;
  flags = flags.substr(0, length);
  if (flags.find_first_not_of(' ') == absl::string_view::npos) return {};
  if (const std::optional<uint64_t> mask = MaskByPosition(flags, table)) return TaintText{*mask, false};
  return TaintText{MaskByLetters(flags, table), true};
}

}  // namespace corefleet

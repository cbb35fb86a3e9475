#include "core/meminspect/plausible_content.h"

#include <algorithm>
#include <cstdint>

#include "core/bytes/byte_reader.h"

namespace corefleet {
namespace {

constexpr uint64_t kKernelHalf = uint64_t{0xffff} << 48;
constexpr uint64_t kSmallestPage = 4096;

uint64_t Word(ByteView head, size_t at, size_t width) {
  return LoadInteger(head.subspan(at), width, Endian::kLittle);
}

bool IsBetween(uint64_t value, uint64_t least, uint64_t most) { return value >= least && value <= most; }

// Tokens of kallsyms' names: printable, each ended by a NUL.
bool IsTokenTable(ByteView head) {
  bool before_is_nul = true;
  for (size_t i = 0; i < 8; ++i) {
    const bool is_nul = head[i] == 0;
    if (is_nul ? before_is_nul : !IsBetween(head[i], 0x21, 0x7e)) return false;
    before_is_nul = is_nul;
  }
  return true;
}

// Where each token starts: 0, then rising by a token's length.
bool IsTokenIndex(ByteView head) {
  if (Word(head, 0, 2) != 0) return false;
  for (size_t at = 2; at < 8; at += 2) {
    if (!IsBetween(Word(head, at, 2) - Word(head, at - 2, 2), 2, 64)) return false;
  }
  return true;
}

// Where each 256th name starts: 0, then at least two bytes a name.
bool IsMarkers(ByteView head) { return Word(head, 0, 4) == 0 && IsBetween(Word(head, 4, 4), 512, 1 << 16); }

bool IsPossibleWord(absl::string_view symbol, ByteView head) {
  const uint64_t value = Word(head, 0, 8);
  if (symbol == "_totalram_pages") return IsBetween(value, 256, uint64_t{1} << 36);
  // It starts at 2^32 minus 300 seconds.
  if (symbol == "jiffies_64") return IsBetween(value, 0xfff00000, uint64_t{1} << 44);
  if (symbol == "tainted_mask") return value < uint64_t{1} << 32;
  if (symbol == "prb" || symbol == "kallsyms_relative_base") return value >= kKernelHalf;
  if (symbol == "high_memory") return value >= kKernelHalf && value % kSmallestPage == 0;
  if (symbol == "kallsyms_offsets") return Word(head, 0, 4) == 0;
  if (symbol == "kallsyms_token_table") return IsTokenTable(head);
  if (symbol == "kallsyms_token_index") return IsTokenIndex(head);
  if (symbol == "kallsyms_markers") return IsMarkers(head);
  return true;
}

}  // namespace

bool IsPossibleContent(absl::string_view symbol, ByteView head) {
  if (head.size() < 4) return true;
  const size_t looked_at = std::min<size_t>(head.size(), 8);
  if (std::all_of(head.begin(), head.begin() + looked_at, [](uint8_t byte) { return byte == 0; }))
    return true;
  const uint64_t count = Word(head, 0, 4);
  if (symbol == "nr_threads") return IsBetween(count, 1, 1 << 22);
  if (symbol == "nr_irqs" || symbol == "total_nr_irqs") return IsBetween(count, 1, 1 << 20);
  if (symbol == "nr_swapfiles") return count <= 64;
  if (symbol == "kallsyms_num_syms") return IsBetween(count, 1000, 1 << 23);
  return head.size() < 8 || IsPossibleWord(symbol, head);
}

}  // namespace corefleet

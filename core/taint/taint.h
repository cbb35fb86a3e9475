#ifndef COREFLEET_CORE_TAINT_TAINT_H_
#define COREFLEET_CORE_TAINT_TAINT_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/bytes/byte_view.h"

namespace corefleet {

// One reason for which a kernel calls itself tainted. Source: the kernel's own table (6.1, 6.12, 2026), bits
// 0 to 19.
struct TaintBit {
  uint32_t bit = 0;
  char letter = '?';
  std::string name;     // "OOT_MODULE"; "bit20" for a bit that no known kernel has
  std::string meaning;  // for a person: "an out-of-tree module was loaded"
};

// Bits that the table knows: 0 to kKnownTaintBits - 1.
inline constexpr uint32_t kKnownTaintBits = 20;

// What is known about bit `bit` (0 to 63). Unknown bits have the letter '?' and are never dropped.
TaintBit DescribeTaintBit(uint32_t bit);

// The bits of `mask`, ascending.
std::vector<TaintBit> DescribeTaint(uint64_t mask);

// Letters by bit, as one kernel has them. Distributions use letters of their own (Red Hat's T is not
// mainline's).
class TaintTable {
 public:
  // The mainline table.
  TaintTable();

  // Out of a `taint_flags` region: `{set letter, clear letter, ...}` every 16 bytes (since 6.9 or so), 8 (the
  // same on 32-bit) or 3 (before). nullopt if it is none. Bits that the region does not reach keep mainline's
  // letters.
  static std::optional<TaintTable> FromRegion(ByteView taint_flags);

  // How many bits the kernel has.
  uint32_t bits() const { return bits_; }
  char letter(uint32_t bit) const { return bit < letters_.size() ? letters_[bit] : '?'; }
  // True when some letter is not mainline's.
  bool differs() const;

  // The letters of `mask` in bit order, without blanks and without the G of a clean bit 0: "PWO". '?' for a
  // bit without a letter. "" for 0.
  std::string Letters(uint64_t mask) const;

 private:
  std::array<char, 64> letters_;
  uint32_t bits_ = kKnownTaintBits;
};

// What a line of the log says about the taint.
struct TaintText {
  uint64_t mask = 0;
  // The blanks between the letters are gone, so letters were looked up and not counted.
  bool lenient = false;
};

// Finds "Not tainted" or "Tainted: ..." in `line`, as every report prints it: one character per bit, a blank
// where the bit is clear (G for bit 0). The verbose form (`Tainted: [W]=WARN, ...`) is not it. nullopt when
// neither is there.
std::optional<TaintText> ParseTaintText(absl::string_view line, const TaintTable& table);

}  // namespace corefleet

#endif  // COREFLEET_CORE_TAINT_TAINT_H_

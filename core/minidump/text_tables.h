#ifndef COREFLEET_CORE_MINIDUMP_TEXT_TABLES_H_
#define COREFLEET_CORE_MINIDUMP_TEXT_TABLES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace corefleet {

// What tools print about the regions that they save: one row a line, between lines of other things. Source:
// docs/formats/address-tables.md.

struct TextRow {
  std::string file_name;  // untrusted bytes, never empty
  uint64_t base = 0;
  uint64_t size = 0;  // 0 where the form has none
};

// `md_KELF1.BIN(md_KELF1): Offset 0x…, Length 0x…, SavePref 0x…`, whatever stands before it on the line.
std::optional<TextRow> ParseEdlListing(absl::string_view line);
// `Dumping md_KELF1.BIN at 0x…, length 0x…`.
std::optional<TextRow> ParseEdlDumping(absl::string_view line);
// `1 0x0000000080000000\t            4096\tmd_KELF1            \tmd_KELF1.BIN`.
std::optional<TextRow> ParseDumpInfoLine(absl::string_view line);
// `d.load.binary md_KELF1.BIN 0x80000000`, with or without options and quotes.
std::optional<TextRow> ParseLoadLine(absl::string_view line);

struct TextLines {
  std::vector<absl::string_view> lines;  // without line ends and surrounding blanks; none is empty
  // What stands after the last line end: perhaps the first half of a line. Part of `lines`.
  bool ends_open = false;
};

// Lines end with CR, LF or both: a progress bar goes back with a lone CR. At most `limit` lines.
TextLines SplitLines(absl::string_view text, size_t limit);

}  // namespace corefleet

#endif  // COREFLEET_CORE_MINIDUMP_TEXT_TABLES_H_

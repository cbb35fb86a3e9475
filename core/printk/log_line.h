#ifndef COREFLEET_CORE_PRINTK_LOG_LINE_H_
#define COREFLEET_CORE_PRINTK_LOG_LINE_H_

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"

namespace corefleet {

// One line of a log as text, taken apart.
struct LogLine {
  // kRecord: something of the kernel's stands in front of the text. kPlain: nothing does, so it continues the
  // record before, or is noise. kForeign: a line of the journal that another program wrote.
  enum class Kind { kRecord, kPlain, kForeign };

  Kind kind = Kind::kPlain;
  std::optional<uint64_t> ts_nsec;  // since boot
  std::optional<uint8_t> level;     // 0 to 7
  uint8_t facility = 0;             // 0 is the kernel
  std::optional<uint32_t> caller_id;
  absl::string_view text;  // of the line given
};

// Reads what stands in front of a line's text (docs/formats/log-text.md). `line` has no newline and no escape
// sequences. Total.
LogLine ParseLogLine(absl::string_view line);

// Where in `line`, behind its first byte, `[%5lu.%06lu]` stands: a console writes it behind a prompt that was
// waiting. npos when it does not.
size_t FindStamp(absl::string_view line);

}  // namespace corefleet

#endif  // COREFLEET_CORE_PRINTK_LOG_LINE_H_

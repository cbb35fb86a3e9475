#ifndef COREFLEET_CORE_PSTORE_RECORD_TEXT_H_
#define COREFLEET_CORE_PSTORE_RECORD_TEXT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/crash/kernel_text.h"

namespace corefleet {

// A part of a dump, with its header line or without one.
struct RecordPart {
  uint32_t number = 0;  // 1 is the newest; 0 not known
  absl::string_view text;
};

struct JoinedText {
  std::string text;     // without header lines; a line in angle brackets where parts are missing
  std::string missing;  // "part 3", "parts 5 to 3, part 1"; "" when none is
  bool plural = false;
};

// The text of a dump. `parts` are in the order of the text: numbers descend. How many parts there were before
// the oldest of them cannot be known.
JoinedText JoinTexts(const std::vector<RecordPart>& parts);

// `content` cut in front of every line that is a record's header. What stands before the first is a part too.
std::vector<absl::string_view> SplitAtHeaders(absl::string_view content);

// Panic is kPanic, Oops is kOops, and everything else is kOtherDump.
KernelText::Kind KindOfReason(absl::string_view reason);

}  // namespace corefleet

#endif  // COREFLEET_CORE_PSTORE_RECORD_TEXT_H_

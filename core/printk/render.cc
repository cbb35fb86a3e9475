#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/bytes/escape.h"
#include "core/printk/kernel_log.h"

namespace corefleet {
namespace {

constexpr uint32_t kCallerIsCpu = 0x80000000u;
constexpr uint8_t kFlagNewline = 2;
constexpr uint8_t kFlagContinuation = 8;

// Microseconds are cut off, not rounded, as printk does.
std::string Stamp(uint64_t ts_nsec) {
  return absl::StrFormat("[%5d.%06d] ", ts_nsec / 1000000000, ts_nsec % 1000000000 / 1000);
}

bool IsInDmesg(const LogRecord& record) {
  return record.text_state != TextState::kLost && record.text_state != TextState::kIncomplete;
}

// Everything but tabs, which line columns up and do no harm.
std::string EscapeLine(absl::string_view line) {
  return absl::StrJoin(absl::StrSplit(line, '\t'), "\t", [](std::string* out, absl::string_view cell) {
    out->append(EscapeForTerminal(cell));
  });
}

std::string Count(uint64_t count, absl::string_view what) {
  return absl::StrCat(count, " record", count == 1 ? "" : "s", " ", what);
}

// Writes the log for people. A gap is told once, with the number of records in it.
class TextRenderer {
 public:
  std::string Render(const KernelLog& log) {
    if (!log.records.empty()) MarkLost(log.records.front().seq);
    for (const LogRecord& record : log.records) Add(record);
    MarkTextLost();
    return absl::StrJoin(lines_, "");
  }

 private:
  void Add(const LogRecord& record) {
    if (next_seq_ && record.seq > *next_seq_) {
      MarkTextLost();
      MarkLost(record.seq - *next_seq_);
    }
    next_seq_ = record.seq + 1;
    if (record.text_state == TextState::kLost && record.text.empty()) {
      ++text_lost_;
      return;
    }
    MarkTextLost();
    if (record.text_state == TextState::kLost) {
      lines_.push_back(absl::StrCat(EscapeLine(record.text), "\n"));
      return;
    }
    if (!Continues(record)) AddLines(record);
    if (record.text_state == TextState::kTruncated) Mark("the text of the record above is cut short");
    if (record.text_state == TextState::kIncomplete) Mark("the record above was being written");
  }

  // A continuation that the ring could not join goes to its caller's last line, if that was left open.
  bool Continues(const LogRecord& record) {
    if ((record.flags & kFlagContinuation) == 0) return false;
    const auto open = open_lines_.find(record.caller_id);
    if (open == open_lines_.end()) return false;
    std::string& line = lines_[open->second];
    line.insert(line.size() - 1, EscapeLine(absl::StrJoin(absl::StrSplit(record.text, '\n'), " ")));
    if ((record.flags & kFlagNewline) != 0) open_lines_.erase(open);
    return true;
  }

  void AddLines(const LogRecord& record) {
    const std::string stamp = Stamp(record.ts_nsec);
    for (const absl::string_view line : absl::StrSplit(record.text, '\n')) {
      lines_.push_back(absl::StrCat(stamp, EscapeLine(line), "\n"));
    }
    if ((record.flags & kFlagNewline) != 0) {
      open_lines_.erase(record.caller_id);
    } else {
      open_lines_[record.caller_id] = lines_.size() - 1;
    }
  }

  void Mark(absl::string_view what) { lines_.push_back(absl::StrCat("<", what, ">\n")); }
  void MarkLost(uint64_t count) {
    if (count > 0) Mark(Count(count, "lost"));
  }
  void MarkTextLost() {
    if (text_lost_ > 0) Mark(Count(text_lost_, "without text"));
    text_lost_ = 0;
  }

  std::vector<std::string> lines_;
  absl::flat_hash_map<uint32_t, size_t> open_lines_;  // caller -> its last line, while that has no newline
  std::optional<uint64_t> next_seq_;
  uint64_t text_lost_ = 0;
};

}  // namespace

std::string CallerName(uint32_t caller_id) {
  return absl::StrCat((caller_id & kCallerIsCpu) != 0 ? "C" : "T", caller_id & ~kCallerIsCpu);
}

std::string RenderRaw(const KernelLog& log) {
  std::string out;
  for (const LogRecord& record : log.records) {
    if (!IsInDmesg(record)) continue;
    const std::string stamp = Stamp(record.ts_nsec);
    for (const absl::string_view line : absl::StrSplit(record.text, '\n'))
      absl::StrAppend(&out, stamp, line, "\n");
  }
  return out;
}

std::string RenderText(const KernelLog& log) { return TextRenderer().Render(log); }

}  // namespace corefleet

#include "core/printk/log_text.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/bytes/escape.h"
#include "core/printk/log_line.h"

namespace corefleet {
namespace {

// printk's own limit: text_len is 16 bits wide.
constexpr size_t kMaxRecordBytes = 65535;
constexpr size_t kMaxRecords = 1 << 18;
constexpr uint8_t kFlagNewline = 2;
constexpr uint8_t kUserFacility = 1;

// What only a kernel says at the beginning of a line, for logs without stamps.
constexpr absl::string_view kKernelWords[] = {"Linux version ", "Kernel panic - not syncing",
                                              "Call Trace:", "Call trace:", "Kernel command line:"};

// A banner alone, which is a region of its own, is no log.
constexpr size_t kMinUnmarkedLines = 5;

bool IsBinary(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r' && byte != 0x1b) || byte >= 0x7f;
}

// More than 3 of 10 bytes are no text. UTF-8 of people's names stays well below that.
bool IsGarbage(absl::string_view text) {
  const auto binary = static_cast<size_t>(std::count_if(text.begin(), text.end(), IsBinary));
  return binary * 10 > text.size() * 3;
}

absl::string_view TakeLine(absl::string_view* text) {
  const size_t end = text->find('\n');
  absl::string_view line = text->substr(0, end);
  text->remove_prefix(end == absl::string_view::npos ? text->size() : end + 1);
  while (absl::ConsumeSuffix(&line, "\r")) {
  }
  return line;
}

// Without the sequences that colour a terminal's text: ESC [ parameters letter.
std::string StripTerminalCodes(absl::string_view line) {
  std::string plain;
  plain.reserve(line.size());
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] != '\x1b' || i + 1 >= line.size() || line[i + 1] != '[') {
      plain.push_back(line[i]);
      continue;
    }
    i = std::min(line.find_first_not_of("0123456789;?", i + 2), line.size());
  }
  return plain;
}

// Reads a line that no stamp leads: one may stand behind terminal codes, behind NULs, or behind a prompt.
// `plain` keeps the bytes of what is returned.
LogLine ParseNoisyLine(absl::string_view line, std::string* plain) {
  *plain = StripTerminalCodes(line);
  absl::string_view rest = *plain;
  rest.remove_prefix(std::min(rest.find_first_not_of('\0'), rest.size()));
  LogLine parsed = ParseLogLine(rest);
  if (parsed.kind != LogLine::Kind::kPlain) return parsed;
  const size_t stamp = FindStamp(rest);
  return stamp == absl::string_view::npos ? parsed : ParseLogLine(rest.substr(stamp));
}

LogLine ParseLine(absl::string_view line, std::string* plain) {
  const LogLine parsed = ParseLogLine(line);
  return parsed.kind == LogLine::Kind::kPlain ? ParseNoisyLine(line, plain) : parsed;
}

// `<part 3 of this record is missing>`, which whoever put a text together writes where some of it is lost.
bool IsGapMark(absl::string_view line) {
  return absl::StartsWith(line, "<") && absl::EndsWith(line, " missing>");
}

// Of a text: what decides how its lines are read.
struct Survey {
  size_t lines = 0;
  size_t marked = 0;  // lines that something of the kernel's leads
};

Survey SurveyOf(absl::string_view text) {
  Survey survey;
  std::string plain;
  while (!text.empty()) {
    ++survey.lines;
    if (ParseLine(TakeLine(&text), &plain).kind == LogLine::Kind::kRecord) ++survey.marked;
  }
  return survey;
}

// Takes lines in order and makes records of them.
class RecordBuilder {
 public:
  // `marked`: lines without a mark continue the record before them.
  explicit RecordBuilder(bool marked) : marked_(marked) {}

  void Add(absl::string_view line) {
    std::string plain;
    const LogLine parsed = ParseLine(line, &plain);
    if (parsed.kind == LogLine::Kind::kForeign) return;
    if (parsed.kind == LogLine::Kind::kRecord) return Begin(parsed, TextState::kWhole);
    if (parsed.text.empty()) return;
    if (IsGarbage(parsed.text)) {
      garbage_ += parsed.text.size();
    } else if (IsGapMark(parsed.text)) {
      Begin(parsed, TextState::kLost);
      ++log_.facts.text_lost;
    } else if (!marked_ || log_.records.empty() || !Continue(parsed.text)) {
      Begin(parsed, TextState::kCarved);
    }
  }

  KernelLog Take(size_t skipped_lines) {
    Describe(skipped_lines);
    return std::move(log_);
  }

 private:
  void Begin(const LogLine& line, TextState state) {
    LogRecord record{.seq = log_.records.size(), .flags = kFlagNewline, .text_state = state};
    record.ts_nsec = line.ts_nsec.value_or(last_ts_);
    record.level = line.level.value_or(0);
    record.facility = line.facility;
    record.caller_id = line.caller_id.value_or(0);
    // Before the first stamp stands what the boot loader and user space wrote.
    if (state == TextState::kCarved && marked_ && !begun_) record.facility = kUserFacility;
    if (state == TextState::kWhole) begun_ = true;
    record.text = std::string(line.text.substr(0, kMaxRecordBytes));
    if (record.text.size() < line.text.size()) record.text_state = TextState::kTruncated;
    last_ts_ = record.ts_nsec;
    log_.records.push_back(std::move(record));
  }

  // False when there is nothing to continue.
  bool Continue(absl::string_view line) {
    LogRecord& last = log_.records.back();
    if (!begun_ || last.text_state != TextState::kWhole || last.text.size() + line.size() >= kMaxRecordBytes)
      return false;
    absl::StrAppend(&last.text, "\n", line);
    return true;
  }

  void Describe(size_t skipped_lines) {
    LogFacts& facts = log_.facts;
    if (!log_.records.empty()) {
      facts.method = "text";
      facts.records = log_.records.size();
      facts.last_seq = log_.records.back().seq;
    }
    // A console that ran on over a reboot counts from its last start.
    uint64_t previous = 0;
    for (const LogRecord& record : log_.records) {
      if (record.ts_nsec == 0 && previous > 0) facts.last_ts_nsec = 0;
      facts.last_ts_nsec = std::max(facts.last_ts_nsec, record.ts_nsec);
      previous = record.ts_nsec;
    }
    if (garbage_ > 0) {
      log_.defects.push_back({DefectCode::kLogDamaged, "",
                              absl::StrCat(garbage_, " bytes in the log's text are no text; left out")});
    }
    if (skipped_lines > 0) {
      log_.defects.push_back({DefectCode::kLogGap, "",
                              absl::StrCat("the log's text is too long to be read whole; its first ",
                                           skipped_lines, " lines are left out")});
    }
  }

  const bool marked_;
  bool begun_ = false;  // a stamped record was seen
  uint64_t last_ts_ = 0;
  size_t garbage_ = 0;
  KernelLog log_;
};

bool HasKernelWords(absl::string_view text) {
  while (!text.empty()) {
    const absl::string_view line = TakeLine(&text);
    for (const absl::string_view words : kKernelWords) {
      if (absl::StartsWith(line, words)) return true;
    }
  }
  return false;
}

bool NameSaysLog(const std::string& name) {
  const std::string lower = absl::AsciiStrToLower(name);
  for (const absl::string_view word :
       {"dmesg", "console", "kmsg", "klog", "kern.log", "kernel.log", "serial"}) {
    if (absl::StrContains(lower, word)) return true;
  }
  return false;
}

KernelText::Kind KindOf(const std::string& name) {
  // kexec's rescue kernel writes it at the death, so it is a dump's text.
  if (absl::StrContains(name, "vmcore-dmesg")) return KernelText::Kind::kOtherDump;
  if (absl::StartsWith(name, "pmsg")) return KernelText::Kind::kPmsg;
  return KernelText::Kind::kConsole;
}

}  // namespace

bool LooksLikeKernelLog(const std::string& name, ByteView head) {
  const absl::string_view text = TextOf(head);
  const Survey survey = SurveyOf(text);
  if (NameSaysLog(name) && survey.marked > 0) return survey.marked >= 3 || !IsGarbage(text);
  if (IsGarbage(text)) return false;
  return survey.marked >= 3 || (survey.marked > 0 && survey.lines <= 5) ||
         (survey.lines >= kMinUnmarkedLines && HasKernelWords(text));
}

void UnpackLogTexts(const std::vector<Artifact>& files, const DumpOpener*, Pieces* out) {
  for (const Artifact& file : files) {
    const uint64_t size = file.bytes->size();
    const uint64_t taken = std::min<uint64_t>(size, kMaxLogTextBytes);
    const std::string name = EscapeForTerminal(file.file_name);
    const absl::StatusOr<std::vector<uint8_t>> bytes = ReadBytes(*file.bytes, size - taken, taken);
    if (!bytes.ok()) {
      out->defects.push_back({DefectCode::kStoredBytesDamaged, name, "the log's text cannot be read back"});
      continue;
    }
    if (taken < size) {
      out->defects.push_back({DefectCode::kLogGap, name,
                              absl::StrCat("only the last ", taken, " of its ", size, " bytes are read")});
    }
    out->texts.push_back({.kind = KindOf(file.file_name), .name = name, .text = std::string(TextOf(*bytes))});
  }
}

KernelLog ParseLogText(absl::string_view text) {
  text.remove_prefix(text.size() - std::min(text.size(), kMaxLogTextBytes));
  const Survey survey = SurveyOf(text);
  const size_t skipped = survey.lines - std::min(survey.lines, kMaxRecords);
  for (size_t i = 0; i < skipped; ++i) TakeLine(&text);
  RecordBuilder builder(survey.marked > 0);
  while (!text.empty()) builder.Add(TakeLine(&text));
  return builder.Take(skipped);
}

}  // namespace corefleet

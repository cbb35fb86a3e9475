#include "core/printk/log_line.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"

namespace corefleet {
namespace {

constexpr uint32_t kCallerIsCpu = 0x80000000u;
constexpr absl::string_view kDigits = "0123456789";

void SkipBlanks(absl::string_view* text) {
  text->remove_prefix(std::min(text->find_first_not_of(' '), text->size()));
}

// Takes a decimal number of at most `max_digits` digits; leaves `text` alone when there is none.
std::optional<uint64_t> TakeNumber(size_t max_digits, absl::string_view* text) {
  const size_t digits = std::min(text->find_first_not_of(kDigits), text->size());
  uint64_t value = 0;
  if (digits == 0 || digits > max_digits || !absl::SimpleAtoi(text->substr(0, digits), &value)) return {};
  text->remove_prefix(digits);
  return value;
}

// `[    1.234567]`
std::optional<uint64_t> TakeStamp(absl::string_view* text) {
  absl::string_view rest = *text;
  if (!absl::ConsumePrefix(&rest, "[")) return {};
  SkipBlanks(&rest);
  const std::optional<uint64_t> seconds = TakeNumber(10, &rest);
  if (!seconds || !absl::ConsumePrefix(&rest, ".")) return {};
  const size_t before = rest.size();
  const std::optional<uint64_t> micros = TakeNumber(6, &rest);
  if (!micros || before - rest.size() != 6 || !absl::ConsumePrefix(&rest, "]")) return {};
  *text = rest;
  return *seconds * 1000000000 + *micros * 1000;
}

// `[Mon Nov 23 05:50:33 2026] `, which `dmesg -T` makes of a stamp.
bool TakeWallStamp(absl::string_view* text) {
  constexpr size_t kSize = sizeof("[Mon Nov 23 05:50:33 2026]") - 1;
  const absl::string_view stamp = text->substr(0, kSize);
  if (stamp.size() != kSize || stamp[0] != '[' || stamp[kSize - 1] != ']' || stamp[4] != ' ' ||
      stamp[14] != ':' || stamp[17] != ':' || !absl::ascii_isdigit(stamp[24]))
    return false;
  text->remove_prefix(kSize);
  return true;
}

// `[  T812]` or `[    C3]`, six wide; newer dmesg puts a blank in front of it.
std::optional<uint32_t> TakeCaller(absl::string_view* text) {
  absl::string_view rest = *text;
  absl::ConsumePrefix(&rest, " ");
  if (!absl::ConsumePrefix(&rest, "[")) return {};
  const size_t inside = rest.find(']');
  if (inside == absl::string_view::npos || inside < 6) return {};
  SkipBlanks(&rest);
  const bool cpu = absl::ConsumePrefix(&rest, "C");
  if (!cpu && !absl::ConsumePrefix(&rest, "T")) return {};
  const std::optional<uint64_t> number = TakeNumber(10, &rest);
  if (!number || *number >= kCallerIsCpu || !absl::ConsumePrefix(&rest, "]")) return {};
  *text = rest;
  return static_cast<uint32_t>(*number) | (cpu ? kCallerIsCpu : 0);
}

void SetPriority(uint64_t priority, LogLine* line) {
  line->level = static_cast<uint8_t>(priority & 7);
  line->facility = static_cast<uint8_t>(priority >> 3);
}

// `<6>`, or with a facility `<30>`.
bool TakePriority(absl::string_view* text, LogLine* line) {
  absl::string_view rest = *text;
  if (!absl::ConsumePrefix(&rest, "<")) return false;
  const std::optional<uint64_t> priority = TakeNumber(3, &rest);
  if (!priority || *priority > 255 || !absl::ConsumePrefix(&rest, ">")) return false;
  SetPriority(*priority, line);
  *text = rest;
  return true;
}

// `kern  :info  : `, which `dmesg -x` writes.
bool TakePriorityWords(absl::string_view* text, LogLine* line) {
  constexpr absl::string_view kLevels[] = {"emerg ", "alert ", "crit  ", "err   ",
                                           "warn  ", "notice", "info  ", "debug "};
  constexpr absl::string_view kFacilities[] = {"kern  ", "user  ", "mail  ", "daemon", "auth  ", "syslog"};
  constexpr size_t kSize = sizeof("kern  :info  : ") - 1;
  if (text->size() < kSize || (*text)[6] != ':' || text->substr(13, 2) != ": ") return false;
  const auto facility = std::find(std::begin(kFacilities), std::end(kFacilities), text->substr(0, 6));
  const auto level = std::find(std::begin(kLevels), std::end(kLevels), text->substr(7, 6));
  if (facility == std::end(kFacilities) || level == std::end(kLevels)) return false;
  line->facility = static_cast<uint8_t>(facility - std::begin(kFacilities));
  line->level = static_cast<uint8_t>(level - std::begin(kLevels));
  text->remove_prefix(kSize);
  return true;
}

// `Nov 23 05:50:33 ` or `2026-11-23T05:50:33.123456+00:00 `.
bool TakeDate(absl::string_view* text) {
  constexpr size_t kShort = sizeof("Nov 23 05:50:33 ") - 1;
  const absl::string_view date = text->substr(0, kShort);
  if (date.size() < kShort) return false;
  if (absl::ascii_isupper(date[0]) && date[3] == ' ' && date[6] == ' ' && date[9] == ':' && date[12] == ':' &&
      date[15] == ' ') {
    text->remove_prefix(kShort);
    return true;
  }
  if (!absl::ascii_isdigit(date[0]) || date[4] != '-' || date[7] != '-' || date[10] != 'T' || date[13] != ':')
    return false;
  const size_t end = text->find(' ');
  if (end == absl::string_view::npos || end > 40) return false;
  text->remove_prefix(end + 1);
  return true;
}

// `host kernel: `, behind a date. Says whether another program's name stands there.
enum class Writer { kNone, kKernel, kOther };
Writer TakeWriter(absl::string_view* text) {
  const size_t host = text->find(' ');
  const size_t end = text->find(": ");
  if (host == absl::string_view::npos || end == absl::string_view::npos || end < host || end > 200)
    return Writer::kNone;
  const absl::string_view writer = text->substr(host + 1, end - host - 1);
  if (writer.empty() || absl::StrContains(writer, ' ')) return Writer::kNone;
  if (writer != "kernel") return Writer::kOther;
  text->remove_prefix(end + 2);
  return Writer::kKernel;
}

// `6,339,5140900,-,caller=T812;text`: /dev/kmsg.
bool TakeDevKmsg(absl::string_view* text, LogLine* line) {
  absl::string_view rest = *text;
  const std::optional<uint64_t> priority = TakeNumber(4, &rest);
  if (!priority || *priority > 255 || !absl::ConsumePrefix(&rest, ",")) return false;
  if (!TakeNumber(19, &rest) || !absl::ConsumePrefix(&rest, ",")) return false;
  const std::optional<uint64_t> micros = TakeNumber(16, &rest);
  if (!micros || !absl::ConsumePrefix(&rest, ",")) return false;
  const size_t end = rest.find(';');
  if (end == absl::string_view::npos || end > 64) return false;
  SetPriority(*priority, line);
  line->ts_nsec = *micros * 1000;
  *text = rest.substr(end + 1);
  return true;
}

// The journal's prefix, if there is one.
void TakeJournal(absl::string_view* text, LogLine* line) {
  absl::string_view rest = *text;
  if (!TakeDate(&rest)) return;
  const Writer writer = TakeWriter(&rest);
  if (writer == Writer::kNone) return;
  line->kind = writer == Writer::kKernel ? LogLine::Kind::kRecord : LogLine::Kind::kForeign;
  *text = rest;
}

}  // namespace

LogLine ParseLogLine(absl::string_view line) {
  LogLine parsed;
  absl::string_view rest = line;
  TakeJournal(&rest, &parsed);
  bool marked = TakePriority(&rest, &parsed) || TakePriorityWords(&rest, &parsed);
  if (!marked && TakeDevKmsg(&rest, &parsed)) {
    marked = true;
  } else if (const std::optional<uint64_t> stamp = TakeStamp(&rest)) {
    parsed.ts_nsec = stamp;
    parsed.caller_id = TakeCaller(&rest);
    absl::ConsumePrefix(&rest, " ");
    marked = true;
  } else if (TakeWallStamp(&rest)) {
    absl::ConsumePrefix(&rest, " ");
    marked = true;
  }
  if (marked && parsed.kind == LogLine::Kind::kPlain) parsed.kind = LogLine::Kind::kRecord;
  parsed.text = rest;
  return parsed;
}

size_t FindStamp(absl::string_view line) {
  for (size_t at = line.find('[', 1); at != absl::string_view::npos; at = line.find('[', at + 1)) {
    absl::string_view rest = line.substr(at);
    if (TakeStamp(&rest)) return at;
  }
  return absl::string_view::npos;
}

}  // namespace corefleet

#include "core/minidump/text_tables.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace corefleet {
namespace {

constexpr size_t kMaxNameBytes = 255;

// Takes `0x…` off the front. False, and `text` is spoilt, without it or if it needs more than 64 bits.
bool ConsumeHex(absl::string_view* text, uint64_t* value) {
  if (!absl::ConsumePrefix(text, "0x") && !absl::ConsumePrefix(text, "0X")) return false;
  size_t digits = 0;
  *value = 0;
  while (digits < text->size() && absl::ascii_isxdigit(static_cast<unsigned char>((*text)[digits]))) {
    if (*value >> 60 != 0) return false;
    const char c = absl::ascii_tolower(static_cast<unsigned char>((*text)[digits]));
    *value = *value * 16 + static_cast<uint64_t>(c <= '9' ? c - '0' : c - 'a' + 10);
    ++digits;
  }
  text->remove_prefix(digits);
  return digits > 0;
}

bool IsName(absl::string_view name) { return !name.empty() && name.size() <= kMaxNameBytes; }

absl::string_view LastWord(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  const size_t blank = text.find_last_of(" \t");
  return blank == absl::string_view::npos ? text : text.substr(blank + 1);
}

absl::string_view WithoutQuotes(absl::string_view word) {
  if (word.size() >= 2 && word.front() == '"' && word.back() == '"') return word.substr(1, word.size() - 2);
  return word;
}

std::vector<absl::string_view> Words(absl::string_view line) {
  return absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
}

}  // namespace

std::optional<TextRow> ParseEdlListing(absl::string_view line) {
  constexpr absl::string_view kMiddle = "): Offset ";
  const size_t middle = line.find(kMiddle);
  if (middle == absl::string_view::npos) return std::nullopt;
  const absl::string_view names = line.substr(0, middle);
  const size_t open = names.rfind('(');
  if (open == absl::string_view::npos) return std::nullopt;
  const absl::string_view file_name = LastWord(names.substr(0, open));
  TextRow row;
  uint64_t preference = 0;
  absl::string_view rest = line.substr(middle + kMiddle.size());
  // The last field proves that those before it are whole.
  const bool whole = ConsumeHex(&rest, &row.base) && absl::ConsumePrefix(&rest, ", Length ") &&
                     ConsumeHex(&rest, &row.size) && absl::ConsumePrefix(&rest, ", SavePref ") &&
                     ConsumeHex(&rest, &preference);
  if (!whole || !IsName(file_name)) return std::nullopt;
  row.file_name = std::string(file_name);
  return row;
}

std::optional<TextRow> ParseEdlDumping(absl::string_view line) {
  constexpr absl::string_view kStart = "Dumping ";
  constexpr absl::string_view kMiddle = " at 0x";
  const size_t start = line.find(kStart);
  if (start == absl::string_view::npos) return std::nullopt;
  const absl::string_view rest = line.substr(start + kStart.size());
  const size_t middle = rest.rfind(kMiddle);
  if (middle == absl::string_view::npos) return std::nullopt;
  absl::string_view file_name = rest.substr(0, middle);
  if (absl::EndsWith(file_name, ")")) file_name = file_name.substr(0, file_name.rfind('('));
  TextRow row;
  absl::string_view numbers = rest.substr(middle + 4);
  const bool whole = ConsumeHex(&numbers, &row.base) && absl::ConsumePrefix(&numbers, ", length ") &&
                     ConsumeHex(&numbers, &row.size);
  if (!whole || !IsName(file_name)) return std::nullopt;
  row.file_name = std::string(file_name);
  return row;
}

std::optional<TextRow> ParseDumpInfoLine(absl::string_view line) {
  const std::vector<absl::string_view> words = Words(line);
  TextRow row;
  uint32_t preference = 0;
  if (words.size() < 4 || !absl::SimpleAtoi(words[0], &preference)) return std::nullopt;
  absl::string_view base = words[1];
  if (!ConsumeHex(&base, &row.base) || !base.empty()) return std::nullopt;
  if (!absl::SimpleAtoi(words[2], &row.size) || row.size == 0) return std::nullopt;
  // Descriptions have blanks in them, and so may a name; only tabs part the two for sure.
  const size_t tab = line.rfind('\t');
  const absl::string_view last =
      tab == absl::string_view::npos ? words.back() : absl::StripAsciiWhitespace(line.substr(tab + 1));
  if (!IsName(last) || last.data() < words[2].data() + words[2].size()) return std::nullopt;
  row.file_name = std::string(last);
  return row;
}

std::optional<TextRow> ParseLoadLine(absl::string_view line) {
  const std::vector<absl::string_view> words = Words(line);
  if (words.size() < 3) return std::nullopt;
  if (!absl::EqualsIgnoreCase(words[0], "d.load.binary") &&
      !absl::EqualsIgnoreCase(words[0], "data.load.binary")) {
    return std::nullopt;
  }
  TextRow row;
  absl::string_view address = words[2];
  // An access class before the address: `A:0x80000000`.
  if (const size_t colon = address.find(':'); colon != absl::string_view::npos) {
    address.remove_prefix(colon + 1);
  }
  const absl::string_view path = WithoutQuotes(words[1]);
  const size_t slash = path.find_last_of("/\\");
  const absl::string_view file_name = slash == absl::string_view::npos ? path : path.substr(slash + 1);
  if (!ConsumeHex(&address, &row.base) || !address.empty() || !IsName(file_name)) return std::nullopt;
  row.file_name = std::string(file_name);
  return row;
}

TextLines SplitLines(absl::string_view text, size_t limit) {
  TextLines result;
  while (!text.empty() && result.lines.size() < limit) {
    const size_t end = text.find_first_of("\r\n");
    const absl::string_view line = absl::StripAsciiWhitespace(text.substr(0, end));
    if (!line.empty()) result.lines.push_back(line);
    if (end == absl::string_view::npos) {
      result.ends_open = !line.empty();
      break;
    }
    text.remove_prefix(end + 1);
  }
  return result;
}

}  // namespace corefleet

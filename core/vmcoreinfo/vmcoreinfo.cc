#include "core/vmcoreinfo/vmcoreinfo.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/bytes/escape.h"

namespace corefleet {
namespace {

// The kernel formats a line into 80 bytes, of which the last is a NUL: a longer line is cut here, newline and
// all.
constexpr size_t kCutColumn = 79;
// The kernel has one page for the text, and the largest page is 64 KiB.
constexpr size_t kMaxText = 64 * 1024;
constexpr uint64_t kMaxStructBytes = uint64_t{1} << 20;
constexpr uint64_t kMaxArrayLength = uint64_t{1} << 31;

constexpr absl::string_view kBracketed[] = {"SYMBOL(", "OFFSET(", "SIZE(", "LENGTH(", "NUMBER("};
constexpr absl::string_view kPlain[] = {
    "OSRELEASE=", "BUILD-ID=", "PAGESIZE=", "KERNELOFFSET=", "KERNELOFFPHYS=", "CRASHTIME=", "CONFIG_"};

std::optional<uint64_t> ParseHex(absl::string_view text) {
  uint64_t value = 0;
  if (text.empty() || !absl::ascii_isxdigit(text[0]) || absl::StartsWithIgnoreCase(text, "0x")) return {};
  if (!absl::SimpleHexAtoi(text, &value)) return {};
  return value;
}

std::optional<uint64_t> ParseDecimal(absl::string_view text) {
  uint64_t value = 0;
  if (text.empty() || !absl::ascii_isdigit(text[0]) || !absl::SimpleAtoi(text, &value)) return {};
  return value;
}

// Signed decimal, or hex with 0x for the numbers that the kernel prints itself.
std::optional<uint64_t> ParseNumber(absl::string_view text) {
  if (absl::StartsWith(text, "0x")) return ParseHex(text.substr(2));
  if (!absl::StartsWith(text, "-")) return ParseDecimal(text);
  int64_t value = 0;
  if (text.size() < 2 || !absl::ascii_isdigit(text[1]) || !absl::SimpleAtoi(text, &value)) return {};
  return static_cast<uint64_t>(value);
}

bool StartsKnownKey(absl::string_view text) {
  const auto starts = [&](absl::string_view prefix) { return absl::StartsWith(text, prefix); };
  return std::any_of(std::begin(kBracketed), std::end(kBracketed), starts) ||
         std::any_of(std::begin(kPlain), std::end(kPlain), starts);
}

// Where inside `line`, at or after `from`, a known key starts. npos when none does.
size_t FindKnownKey(absl::string_view line, size_t from) {
  for (size_t i = from; i < line.size(); ++i) {
    // "CONFIG_" must not be found inside another word; a bracketed kind may, after a value that was cut.
    if (StartsKnownKey(line.substr(i))) return i;
  }
  return absl::string_view::npos;
}

bool IsKeyCharacter(char c) { return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '-'; }

// NAME or NAME(name).
bool IsKey(absl::string_view key) {
  if (absl::ConsumeSuffix(&key, ")")) {
    const size_t open = key.find('(');
    if (open == absl::string_view::npos || open + 1 == key.size()) return false;
    return IsKey(key.substr(0, open)) && IsKey(key.substr(open + 1));
  }
  return !key.empty() && std::all_of(key.begin(), key.end(), IsKeyCharacter);
}

// Whether `value` can be the value of `key`. A key of a kind not known takes any text.
bool IsPlausible(absl::string_view key, absl::string_view value) {
  if (absl::StartsWith(key, "SYMBOL(")) return ParseHex(value).has_value();
  if (absl::StartsWith(key, "NUMBER(")) return ParseNumber(value).has_value();
  if (key == "KERNELOFFSET" || key == "KERNELOFFPHYS") return ParseHex(value).has_value();
  if (key == "PAGESIZE" || key == "CRASHTIME") return ParseDecimal(value).has_value();
  if (absl::StartsWith(key, "LENGTH(")) return ParseDecimal(value).value_or(UINT64_MAX) <= kMaxArrayLength;
  if (absl::StartsWith(key, "OFFSET(") || absl::StartsWith(key, "SIZE(")) {
    return ParseDecimal(value).value_or(UINT64_MAX) <= kMaxStructBytes;
  }
  return true;
}

using Values = absl::flat_hash_map<std::string, std::string>;

// One pass over the text. Owns what is found out about it.
class LineReader {
 public:
  void ReadAll(absl::string_view text) {
    while (!text.empty()) {
      const size_t end = text.find('\n');
      if (end == absl::string_view::npos) {
        // Cut by the end of the page or of the region: a number here may have lost digits, so it is not used.
        Complain("cut in ", text);
        return;
      }
      ReadLine(text.substr(0, end));
      text.remove_prefix(end + 1);
    }
  }

  // Members cannot lie outside their struct.
  void DropOffsetsPastTheirStruct() {
    absl::erase_if(values_, [this](const auto& entry) {
      absl::string_view member = entry.first;
      if (!absl::ConsumePrefix(&member, "OFFSET(")) return false;
      const auto size = values_.find(absl::StrCat("SIZE(", member.substr(0, member.find('.')), ")"));
      if (size == values_.end()) return false;
      const bool outside = ParseDecimal(entry.second).value_or(0) >= ParseDecimal(size->second).value_or(0);
      if (outside) Complain("impossible ", absl::StrCat(entry.first, "=", entry.second));
      return outside;
    });
  }

  Values TakeValues() { return std::move(values_); }

  void Report(std::vector<Defect>* defects) const {
    if (complaints_ == 0 || defects == nullptr) return;
    std::string detail = first_complaint_;
    if (complaints_ > 1) absl::StrAppend(&detail, " (and ", complaints_ - 1, " more)");
    defects->push_back({DefectCode::kVmcoreinfoDamaged, "", std::move(detail)});
  }

 private:
  void ReadLine(absl::string_view line) {
    while (!line.empty()) {
      size_t end = SplitPoint(line);
      if (end != absl::string_view::npos) Complain("two keys in one line: ", line);
      ReadKey(line.substr(0, end));
      line = end == absl::string_view::npos ? absl::string_view() : line.substr(end);
    }
  }

  // Where the next key starts in a line that lost its newline; npos when the line holds one key.
  static size_t SplitPoint(absl::string_view line) {
    if (line.size() > kCutColumn && StartsKnownKey(line.substr(kCutColumn))) return kCutColumn;
    const size_t equals = line.find('=');
    if (equals == absl::string_view::npos) return FindKnownKey(line, 1);
    // A value that can be one is left alone, whatever it contains; texts (a release) are free in form.
    const absl::string_view key = line.substr(0, equals);
    if (line.size() <= kCutColumn && IsKey(key) && IsPlausible(key, line.substr(equals + 1))) {
      return absl::string_view::npos;
    }
    return FindKnownKey(line, 1);
  }

  void ReadKey(absl::string_view line) {
    const size_t equals = line.find('=');
    if (equals == absl::string_view::npos) return Complain("no value in ", line);
    const absl::string_view key = line.substr(0, equals);
    const absl::string_view value = line.substr(equals + 1);
    if (!IsKey(key)) return Complain("no key in ", line);
    if (!IsPlausible(key, value)) return Complain("impossible ", line);
    const auto [entry, inserted] = values_.try_emplace(std::string(key), std::string(value));
    if (!inserted && entry->second != value) Complain("contradicting repeat ", line);
  }

  void Complain(absl::string_view what, absl::string_view line) {
    if (complaints_++ == 0)
      first_complaint_ = absl::StrCat(what, EscapeForTerminal(line.substr(0, 2 * kCutColumn)));
  }

  Values values_;
  std::string first_complaint_;
  size_t complaints_ = 0;
};

}  // namespace

Vmcoreinfo Vmcoreinfo::Parse(ByteView text, std::vector<Defect>* defects) {
  Vmcoreinfo result;
  const absl::string_view all = TextOf(text).substr(0, kMaxText);
  result.text_ = std::string(all.substr(0, all.find('\0')));
  LineReader reader;
  reader.ReadAll(result.text_);
  reader.DropOffsetsPastTheirStruct();
  reader.Report(defects);
  result.values_ = reader.TakeValues();
  return result;
}

std::optional<absl::string_view> Vmcoreinfo::Text(absl::string_view key) const {
  const auto entry = values_.find(key);
  if (entry == values_.end()) return {};
  return absl::string_view(entry->second);
}

std::optional<uint64_t> Vmcoreinfo::Symbol(absl::string_view name) const {
  return Hex(absl::StrCat("SYMBOL(", name, ")"));
}

std::optional<uint64_t> Vmcoreinfo::Size(absl::string_view type) const {
  const auto text = Text(absl::StrCat("SIZE(", type, ")"));
  return text ? ParseDecimal(*text) : std::nullopt;
}

std::optional<uint64_t> Vmcoreinfo::Offset(absl::string_view member) const {
  const auto text = Text(absl::StrCat("OFFSET(", member, ")"));
  return text ? ParseDecimal(*text) : std::nullopt;
}

std::optional<uint64_t> Vmcoreinfo::Length(absl::string_view array) const {
  const auto text = Text(absl::StrCat("LENGTH(", array, ")"));
  return text ? ParseDecimal(*text) : std::nullopt;
}

std::optional<uint64_t> Vmcoreinfo::Number(absl::string_view name) const {
  const auto text = Text(absl::StrCat("NUMBER(", name, ")"));
  return text ? ParseNumber(*text) : std::nullopt;
}

std::optional<uint64_t> Vmcoreinfo::Hex(absl::string_view key) const {
  const auto text = Text(key);
  return text ? ParseHex(*text) : std::nullopt;
}

}  // namespace corefleet

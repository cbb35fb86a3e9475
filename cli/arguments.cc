#include "cli/arguments.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"

namespace corefleet {
namespace {

// How many letters must change to make `a` into `b`.
size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

absl::Status UnknownOption(absl::string_view typed, const std::vector<Option>& options) {
  std::vector<std::string> names;
  for (const Option& option : options) names.push_back(absl::StrCat("--", option.name));
  const std::optional<std::string> meant = Nearest(typed, names);
  return absl::InvalidArgumentError(
      absl::StrCat("unknown option ", typed, meant ? absl::StrCat("; did you mean ", *meant, "?") : ""));
}

// Goes over the words of a command line.
class Parser {
 public:
  Parser(const std::vector<std::string>& words, const std::vector<Option>& options)
      : words_(words), options_(options) {}

  absl::StatusOr<Arguments> Parse(bool stop_at_operand, std::vector<std::string>* rest) {
    for (; at_ < words_.size(); ++at_) {
      const std::string& word = words_[at_];
      const bool is_option = !only_operands_ && word.size() > 1 && word[0] == '-';
      if (!is_option && stop_at_operand) break;
      if (!is_option) {
        arguments_.AddOperand(word);
      } else if (word == "--") {
        only_operands_ = true;
      } else {
        RETURN_IF_ERROR(absl::StartsWith(word, "--") ? TakeLong(word) : TakeShort(word));
      }
    }
    if (rest != nullptr) rest->assign(words_.begin() + static_cast<ptrdiff_t>(at_), words_.end());
    return std::move(arguments_);
  }

 private:
  absl::Status TakeLong(const std::string& word) {
    const size_t equals = word.find('=');
    const std::string name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
    for (const Option& option : options_) {
      if (option.name != name) continue;
      if (equals != std::string::npos) return TakeValue(option, word.substr(equals + 1));
      return TakeNext(option);
    }
    return UnknownOption(word.substr(0, equals), options_);
  }

  absl::Status TakeShort(const std::string& word) {
    for (const Option& option : options_) {
      if (option.letter != word[1]) continue;
      if (word.size() > 2) return TakeValue(option, word.substr(2));
      return TakeNext(option);
    }
    return UnknownOption(word.substr(0, 2), options_);
  }

  absl::Status TakeValue(const Option& option, std::string value) {
    if (option.value.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("--", option.name, " takes no value"));
    }
    arguments_.Set(option.name, std::move(value));
    return absl::OkStatus();
  }

  absl::Status TakeNext(const Option& option) {
    if (option.value.empty()) {
      arguments_.Set(option.name, "");
      return absl::OkStatus();
    }
    if (at_ + 1 >= words_.size()) {
      return absl::InvalidArgumentError(absl::StrCat("--", option.name, " needs a value: ", option.value));
    }
    arguments_.Set(option.name, words_[++at_]);
    return absl::OkStatus();
  }

  const std::vector<std::string>& words_;
  const std::vector<Option>& options_;
  size_t at_ = 0;
  bool only_operands_ = false;
  Arguments arguments_;
};

}  // namespace

std::string Arguments::Get(absl::string_view option, absl::string_view fallback) const {
  const auto entry = values_.find(std::string(option));
  return entry == values_.end() ? std::string(fallback) : entry->second;
}

absl::StatusOr<int64_t> Arguments::GetNumber(absl::string_view option, int64_t fallback, int64_t low,
                                             int64_t high) const {
  if (!Has(option)) return fallback;
  int64_t number = 0;
  if (!absl::SimpleAtoi(Get(option), &number) || number < low || number > high) {
    return absl::InvalidArgumentError(
        absl::StrCat("--", option, " takes a number from ", low, " to ", high, ", not '", Get(option), "'"));
  }
  return number;
}

absl::StatusOr<Arguments> ParseArguments(const std::vector<std::string>& words,
                                         const std::vector<Option>& options, bool stop_at_operand,
                                         std::vector<std::string>* rest) {
  return Parser(words, options).Parse(stop_at_operand, rest);
}

std::string DescribeOptions(const std::vector<Option>& options) {
  std::string out;
  for (const Option& option : options) {
    std::string left = option.letter != 0 ? absl::StrFormat("-%c, ", option.letter) : "    ";
    // One-letter names exist only as -n.
    left = option.name.size() == 1 ? absl::StrCat("-", option.name) : absl::StrCat(left, "--", option.name);
    if (!option.value.empty()) absl::StrAppend(&left, " ", option.value);
    absl::StrAppendFormat(&out, "  %-26s%s%s\n", left,
                          left.size() > 24 ? "\n                            " : "", option.help);
  }
  return out;
}

std::optional<std::string> Nearest(absl::string_view typed, const std::vector<std::string>& words) {
  std::optional<std::string> nearest;
  // A third of the letters wrong still is the same word; two neighbours that changed places count as two.
  size_t best = std::max<size_t>(typed.size() < 4 ? 1 : 2, typed.size() / 3) + 1;
  for (const std::string& word : words) {
    const bool is_begun = typed.size() >= 2 && absl::StartsWith(word, typed);
    const size_t distance = is_begun ? 0 : EditDistance(typed, word);
    if (distance >= best) continue;
    best = distance;
    nearest = word;
  }
  return nearest;
}

absl::StatusOr<uint64_t> ParseAddress(absl::string_view text) {
  uint64_t value = 0;
  const bool hex = absl::StartsWithIgnoreCase(text, "0x");
  if (hex ? !absl::SimpleHexAtoi(text, &value) : !absl::SimpleAtoi(text, &value)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is no address; write it as 0xffff888000000000 or in decimal"));
  }
  return value;
}

absl::StatusOr<uint64_t> ParseSize(absl::string_view text) {
  absl::string_view digits = text;
  uint64_t unit = 1;
  if (!digits.empty() && !absl::StartsWithIgnoreCase(digits, "0x")) {
    const char last = absl::ascii_tolower(digits.back());
    if (last == 'k') unit = 1024;
    if (last == 'm') unit = 1024 * 1024;
    if (unit != 1) digits.remove_suffix(1);
  }
  const absl::StatusOr<uint64_t> value = ParseAddress(digits);
  if (!value.ok() || *value > UINT64_MAX / unit) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is no size; write it as 64, 0x40, 4k or 1m"));
  }
  return *value * unit;
}

}  // namespace corefleet

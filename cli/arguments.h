#ifndef COREFLEET_CLI_ARGUMENTS_H_
#define COREFLEET_CLI_ARGUMENTS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace corefleet {

// One option. The table that describes a verb's options both parses them and makes their help.
struct Option {
  std::string name;   // without dashes: "timeout"
  char letter = 0;    // 'n' for -n; 0: none
  std::string value;  // what its value is called in the help; "": a switch without one
  std::string help;
};

// What was typed.
class Arguments {
 public:
  bool Has(absl::string_view option) const { return values_.count(std::string(option)) > 0; }
  // The value, the last one if it was given repeatedly; `fallback` without it.
  std::string Get(absl::string_view option, absl::string_view fallback = "") const;
  // The value as a number. INVALID_ARGUMENT, naming the option, if it is none or outside [low, high].
  absl::StatusOr<int64_t> GetNumber(absl::string_view option, int64_t fallback, int64_t low,
                                    int64_t high) const;
  const std::vector<std::string>& operands() const { return operands_; }

  void Set(const std::string& option, std::string value) { values_[option] = std::move(value); }
  void AddOperand(std::string operand) { operands_.push_back(std::move(operand)); }

 private:
  std::map<std::string, std::string> values_;
  std::vector<std::string> operands_;
};

// Parses `--name value`, `--name=value`, `-n value`, `-nvalue` and switches, anywhere between the operands;
// `--` makes everything after it operands, and `-` alone is one. With `stop_at_operand` parsing ends at the
// first operand, and `rest` gets it and everything after it.
//   INVALID_ARGUMENT  an option that `options` does not have, or one without its value; the text names it
//   and, if there
//                     is one alike, what may have been meant
absl::StatusOr<Arguments> ParseArguments(const std::vector<std::string>& words,
                                         const std::vector<Option>& options, bool stop_at_operand = false,
                                         std::vector<std::string>* rest = nullptr);

// Help for the options, a line or more each, in columns.
std::string DescribeOptions(const std::vector<Option>& options);

// Of `words`, the one that `typed` most likely was meant to be; nullopt if none is alike.
std::optional<std::string> Nearest(absl::string_view typed, const std::vector<std::string>& words);

// "64k", "1M", "0x40", "64" -> bytes. INVALID_ARGUMENT if it is no size.
absl::StatusOr<uint64_t> ParseSize(absl::string_view text);
// "0xffff888000000000" or decimal. INVALID_ARGUMENT if it is none, or does not fit.
absl::StatusOr<uint64_t> ParseAddress(absl::string_view text);

}  // namespace corefleet

#endif  // COREFLEET_CLI_ARGUMENTS_H_

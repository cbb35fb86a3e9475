#include "cli/duration.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace corefleet {

absl::StatusOr<absl::Duration> ParseDuration(absl::string_view text) {
  const absl::Status wrong = absl::InvalidArgumentError(
      absl::StrCat("'", text, "' is no time span; write it as 90s, 15m, 2h, 3d or 1w"));
  if (text.empty()) return wrong;
  absl::Duration unit = absl::Seconds(1);
  absl::string_view digits = text.substr(0, text.size() - 1);
  switch (text.back()) {
    case 's':
      break;
    case 'm':
      unit = absl::Minutes(1);
      break;
    case 'h':
      unit = absl::Hours(1);
      break;
    case 'd':
      unit = absl::Hours(24);
      break;
    case 'w':
      unit = absl::Hours(7 * 24);
      break;
    default:
      digits = text;
  }
  double number = 0;
  if (!absl::SimpleAtod(digits, &number) || !(number >= 0 && number < 1e9)) return wrong;
  return number * unit;
}

}  // namespace corefleet

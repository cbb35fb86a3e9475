#include "collector/config/units.h"

#include <cmath>
#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace corefleet {
namespace {

struct TimeUnit {
  char letter;
  absl::Duration length;
};
constexpr TimeUnit kTimeUnits[] = {
    {'d', absl::Hours(24)}, {'h', absl::Hours(1)}, {'m', absl::Minutes(1)}, {'s', absl::Seconds(1)}};

constexpr char kByteUnits[] = "kMGT";

}  // namespace

absl::StatusOr<absl::Duration> ParseSpan(absl::string_view text) {
  const absl::Status wrong = absl::InvalidArgumentError("is no time span such as 90s, 15m, 2h or 3d");
  if (text.empty()) return wrong;
  double number = 0;
  if (!absl::SimpleAtod(text.substr(0, text.size() - 1), &number)) return wrong;
  // A century bounds what can be computed with.
  if (!std::isfinite(number) || number < 0 || number > 36500) return wrong;
  for (const TimeUnit& unit : kTimeUnits) {
    if (text.back() == unit.letter) return number * unit.length;
  }
  return wrong;
}

absl::StatusOr<uint64_t> ParseBytes(absl::string_view text) {
  const absl::Status wrong = absl::InvalidArgumentError("is no size such as 4096, 64k, 24M or 8G");
  int shift = 0;
  if (!text.empty()) {
    const size_t unit = absl::string_view(kByteUnits).find(text.back());
    if (unit != absl::string_view::npos) {
      shift = 10 * static_cast<int>(unit + 1);
      text.remove_suffix(1);
    }
  }
  uint64_t number = 0;
  if (!absl::SimpleAtoi(text, &number) || number > std::numeric_limits<uint64_t>::max() >> shift)
    return wrong;
  return number << shift;
}

std::string FormatSpan(absl::Duration span) {
  for (const TimeUnit& unit : kTimeUnits) {
    if (span > absl::ZeroDuration() && span % unit.length == absl::ZeroDuration()) {
      return absl::StrCat(span / unit.length, absl::string_view(&unit.letter, 1));
    }
  }
  return absl::StrCat(absl::ToDoubleSeconds(span), "s");
}

std::string FormatBytes(uint64_t bytes) {
  int unit = -1;
  while (unit < 3 && bytes != 0 && bytes % 1024 == 0) {
    bytes /= 1024;
    ++unit;
  }
  return unit < 0 ? absl::StrCat(bytes) : absl::StrCat(bytes, absl::string_view(&kByteUnits[unit], 1));
}

}  // namespace corefleet

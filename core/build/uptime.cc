#include "core/build/uptime.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"

namespace corefleet {
namespace {

constexpr uint32_t kUsualHz[] = {100, 250, 300, 1000, 128, 256, 512, 1024, 1200};
constexpr double kThirtyYears = 30 * 365.25 * 86400;
// The tick stops when interrupts go off for good, and stamps go on.
constexpr double kSlackSeconds = 2;

uint64_t JiffiesSinceBoot(uint64_t jiffies_64, uint32_t hz) {
  return jiffies_64 - ((uint64_t{1} << 32) - uint64_t{300} * hz);
}

// The number right behind `key` in `line`.
std::optional<double> NumberBehind(absl::string_view line, absl::string_view key) {
  const size_t at = line.find(key);
  if (at == absl::string_view::npos) return {};
  const absl::string_view rest = line.substr(at + key.size());
  double value = 0;
  if (!absl::SimpleAtod(rest.substr(0, rest.find_first_not_of("0123456789.")), &value) || value <= 0)
    return {};
  return value;
}

// A whole number of ticks that some architecture can be configured to, within a thousandth.
std::optional<uint32_t> SaneHz(double hz) {
  const double rounded = std::round(hz);
  if (!(rounded >= 24 && rounded <= 1200) || std::abs(hz - rounded) > rounded / 1000) return {};
  return static_cast<uint32_t>(rounded);
}

// Not of the `refined-jiffies` clocksource, whose rate is measured. max_idle_ns is 2^32 ticks, less 11 % of
// safety, halved: 7645041785100000 for HZ=250.
std::optional<uint32_t> HzFromIdleLimit(absl::string_view line) {
  constexpr double kIdleLimitTimesHz = 7645041785100000.0 * 250;
  if (!absl::StartsWith(line, "clocksource: jiffies: ")) return {};
  const std::optional<double> limit = NumberBehind(line, "max_idle_ns: ");
  return limit ? SaneHz(kIdleLimitTimesHz / *limit) : std::nullopt;
}

// BogoMIPS is lpj * HZ / 500000, printed with two digits.
std::optional<uint32_t> HzFromBogoMips(absl::string_view line) {
  const std::optional<double> lpj = NumberBehind(line, "(lpj=");
  const size_t unit = line.find(" BogoMIPS");
  if (!lpj || unit == absl::string_view::npos) return {};
  const absl::string_view before = line.substr(0, unit);
  double mips = 0;
  if (!absl::SimpleAtod(before.substr(before.find_last_not_of("0123456789.") + 1), &mips)) return {};
  return SaneHz(mips * 500000 / *lpj);
}

}  // namespace

double UptimeOf(uint64_t jiffies_64, uint32_t hz) {
  return static_cast<double>(JiffiesSinceBoot(jiffies_64, hz)) / hz;
}

bool IsPlausibleJiffies(uint64_t jiffies_64, uint32_t hz) { return UptimeOf(jiffies_64, hz) < kThirtyYears; }

std::optional<uint32_t> HzFromLogLine(absl::string_view line) {
  if (const std::optional<uint32_t> hz = HzFromIdleLimit(line)) return hz;
  return HzFromBogoMips(line);
}

std::optional<uint32_t> GuessHz(uint64_t jiffies_64, double newest_stamp_seconds) {
  std::optional<uint32_t> best;
  for (const uint32_t hz : kUsualHz) {
    if (!IsPlausibleJiffies(jiffies_64, hz)) continue;
    const double uptime = UptimeOf(jiffies_64, hz);
    if (uptime < newest_stamp_seconds - kSlackSeconds) continue;
    if (!best || uptime < UptimeOf(jiffies_64, *best)) best = hz;
  }
  return best;
}

}  // namespace corefleet

#include "collector/policy/send_budget.h"

#include <algorithm>

namespace corefleet {
namespace {

constexpr absl::Duration kDay = absl::Hours(24);

}  // namespace

SendBudget::SendBudget(const BudgetLimits& limits, const Moment& now)
    : limits_(limits),
      crashes_(std::max<double>(limits.crashes_per_day, 1), kDay, now),
      bytes_(std::max<double>(static_cast<double>(limits.bytes_per_day), 1), kDay, now) {}

void SendBudget::Restore(const State& state) {
  crashes_.Restore(state.crashes);
  bytes_.Restore(state.bytes);
}

absl::Duration SendBudget::UntilCrash(const Moment& now) {
  // A crash costs a whole one: what is left of one after that is none.
  const double crashes = crashes_.Tokens(now);
  const absl::Duration for_crash =
      crashes >= 1 ? absl::ZeroDuration() : (1.001 - crashes) / std::max(limits_.crashes_per_day, 1u) * kDay;
  const absl::Duration for_bytes = bytes_.UntilSome(now);
  return limits_.strict ? std::max(for_crash, for_bytes) : std::min(for_crash, for_bytes);
}

absl::Duration SendBudget::UntilBytes(const Moment& now) {
  return limits_.strict ? bytes_.UntilSome(now) : absl::ZeroDuration();
}

absl::Duration SendBudget::Pace(uint64_t bytes, const Moment& now) {
  if (limits_.bytes_per_second == 0) return absl::ZeroDuration();
  const absl::Duration start = std::max(busy_until_, now.since_boot);
  busy_until_ = start + absl::Seconds(static_cast<double>(bytes) / limits_.bytes_per_second);
  return start - now.since_boot;
}

}  // namespace corefleet

#include "collector/policy/upload_schedule.h"

#include <algorithm>
#include <utility>

namespace corefleet {

UploadSchedule::UploadSchedule(const Options& options, const Moment& now, std::function<double()> random)
    : options_(options),
      random_(std::move(random)),
      due_(now.since_boot + options.interval * (options.start_jitter * random_())),
      ceiling_(options.first_delay) {}

absl::Duration UploadSchedule::ServersWait(const Moment& now) const {
  if (state_.not_in_this_boot && state_.since.boot_id == now.boot_id) return absl::InfiniteDuration();
  return std::max(state_.wait - TimePassed(state_.since, now), absl::ZeroDuration());
}

absl::Duration UploadSchedule::UntilDue(const Moment& now) const {
  return std::max({ServersWait(now), due_ - now.since_boot, absl::ZeroDuration()});
}

void UploadSchedule::RoundDone(const Moment& now) {
  ceiling_ = options_.first_delay;
  due_ = now.since_boot + options_.interval;
}

void UploadSchedule::Failed(absl::Duration server_delay, bool not_before_next_boot, const Moment& now) {
  // The jitter comes on top of what the server said: it says the same to many.
  due_ = now.since_boot + server_delay + ceiling_ * random_();
  ceiling_ = std::min(ceiling_ * 2, options_.max_delay);
  state_ = {.since = now, .wait = server_delay, .not_in_this_boot = not_before_next_boot};
}

}  // namespace corefleet

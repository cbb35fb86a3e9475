#include "tests/bench/load/schedule.h"

#include <algorithm>

namespace corefleet {

Schedule::Schedule(const Options& options, Clock* clock)
    : options_(options), clock_(clock), began_(clock->Now()), end_(began_ + options.duration) {}

bool Schedule::MoreToCome() const {
  return (options_.crashes == 0 || arrived_ < options_.crashes) && clock_->Now() < end_;
}

absl::Time Schedule::NextArrival() const {
  if (options_.per_second <= 0) return began_;
  return began_ + absl::Seconds(static_cast<double>(arrived_) / options_.per_second);
}

std::optional<Schedule::Job> Schedule::Next() {
  absl::MutexLock lock(&mutex_);
  while (watched_) relief_.Wait(&mutex_);
  watched_ = true;
  std::optional<Job> job = WaitForJob();
  watched_ = false;
  relief_.Signal();
  return job;
}

std::optional<Schedule::Job> Schedule::WaitForJob() {
  for (;;) {
    const absl::Time now = clock_->Now();
    if (now >= end_) return std::nullopt;
    // Who waited longest goes first.
    if (!returning_.empty() && returning_.top().when <= now) {
      const Job job = returning_.top().job;
      returning_.pop();
      ++under_way_;
      return job;
    }
    const bool more = MoreToCome();
    if (more && NextArrival() <= now) {
      const absl::Time offered = options_.per_second > 0 ? NextArrival() : now;
      ++under_way_;
      return Job{options_.first + arrived_++, offered};
    }
    if (!more && returning_.empty() && under_way_ == 0) return std::nullopt;
    absl::Time wake = end_;
    if (more) wake = std::min(wake, NextArrival());
    if (!returning_.empty()) wake = std::min(wake, returning_.top().when);
    changed_.WaitWithDeadline(&mutex_, wake);
  }
}

void Schedule::ComeBack(Job job, absl::Time due) {
  absl::MutexLock lock(&mutex_);
  --under_way_;
  returning_.push({due, job});
  changed_.Signal();
}

void Schedule::Done() {
  absl::MutexLock lock(&mutex_);
  --under_way_;
  if (under_way_ == 0 && !MoreToCome()) changed_.Signal();
}

uint64_t Schedule::offered() const {
  absl::MutexLock lock(&mutex_);
  return arrived_;
}

uint64_t Schedule::waiting() const {
  absl::MutexLock lock(&mutex_);
  return returning_.size();
}

}  // namespace corefleet

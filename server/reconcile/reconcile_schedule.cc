#include "server/reconcile/reconcile_schedule.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

namespace corefleet {
namespace {

constexpr int kLowest = 19;

// On Linux a thread has a nice value of its own. Where that is not allowed it is as it was.
void YieldToOthers() {
  const auto thread = static_cast<id_t>(::syscall(SYS_gettid));
  if (::setpriority(PRIO_PROCESS, thread, kLowest) != 0) {
    Log(LogLevel::kDebug, "the reconciler keeps its priority");
  }
}

}  // namespace

ReconcileSchedule::ReconcileSchedule(Reconciler* reconciler, const ReconcilePace& pace)
    : reconciler_(reconciler), pace_(pace) {
  thread_ = std::thread([this] { Work(); });
}

ReconcileSchedule::~ReconcileSchedule() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

void ReconcileSchedule::Work() {
  YieldToOthers();
  for (absl::Status status = reconciler_->Recover(); !status.ok(); status = reconciler_->Recover()) {
    Log(LogLevel::kWarning, "what the last run left is not looked through yet", {{"why", status.ToString()}});
    if (!Wait(pace_.between_keys)) return;
  }
  while (true) {
    const auto ended = reconciler_->Step();
    if (!ended.ok()) Log(LogLevel::kWarning, "reconciling waits", {{"why", ended.status().ToString()}});
    if (!Wait(ended.ok() && *ended ? pace_.between_passes : pace_.between_keys)) return;
  }
}

bool ReconcileSchedule::Wait(absl::Duration duration) {
  absl::MutexLock lock(&mutex_);
  return !mutex_.AwaitWithTimeout(absl::Condition(&stopping_), duration);
}

}  // namespace corefleet

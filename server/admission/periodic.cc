#include "server/admission/periodic.h"

#include <utility>

namespace corefleet {

Periodic::Periodic(absl::Duration interval, std::function<void()> call)
    : interval_(interval), call_(std::move(call)) {
  thread_ = std::thread([this] { Run(); });
}

Periodic::~Periodic() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

void Periodic::Run() {
  while (true) {
    call_();
    absl::MutexLock lock(&mutex_);
    if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), interval_)) return;
  }
}

}  // namespace corefleet

#include "server/readiness.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"

namespace corefleet {
namespace {

constexpr absl::Duration kInterval = absl::Seconds(1);

}  // namespace

Readiness::Readiness(CrashIndex* index, PackStore* store, uint64_t min_free_bytes,
                     std::function<void(bool)> changed)
    : index_(index), store_(store), min_free_bytes_(min_free_bytes), changed_(std::move(changed)) {
  Note(Ask());
  thread_ = std::thread([this] { Watch(); });
}

Readiness::~Readiness() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

absl::Status Readiness::status() const {
  absl::MutexLock lock(&mutex_);
  return status_;
}

absl::Status Readiness::Ask() {
  if (absl::Status ping = index_->Ping(); !ping.ok()) {
    return absl::UnavailableError(absl::StrCat("the database does not answer: ", ping.message()));
  }
  const uint64_t free = store_->FreeBytes();
  if (free < min_free_bytes_) {
    return absl::ResourceExhaustedError(absl::StrCat("the store is full: ", free, " bytes are left"));
  }
  return absl::OkStatus();
}

void Readiness::Note(const absl::Status& status) {
  bool turned = false;
  {
    absl::MutexLock lock(&mutex_);
    turned = status.ok() != status_.ok();
    status_ = status;
  }
  if (!turned) return;
  if (status.ok()) {
    Log(LogLevel::kInfo, "ready");
  } else {
    Log(LogLevel::kError, "not ready", {{"why", std::string(status.message())}});
  }
  changed_(status.ok());
}

void Readiness::Watch() {
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), kInterval)) return;
    }
    Note(Ask());
  }
}

}  // namespace corefleet

#include "server/archive/opened_crash_cache.h"

#include "base/status_macros.h"

namespace corefleet {

absl::StatusOr<std::shared_ptr<const OpenedCrash>> OpenedCrashCache::Get(const CrashId& id) {
  if (auto found = Find(id); found != nullptr) {
    if (found->whole()) return found;
    // A late upload may have added to it.
    ASSIGN_OR_RETURN(const StoredCrash crash, index_->GetCrash(id));
    if (crash.revision == found->revision()) return found;
    Forget(id);
  }
  ASSIGN_OR_RETURN(auto crash, OpenedCrash::Open(id, index_, store_, opener_));
  Insert(id, crash);
  return crash;
}

std::shared_ptr<const OpenedCrash> OpenedCrashCache::Find(const CrashId& id) {
  absl::MutexLock lock(&mutex_);
  for (auto it = crashes_.begin(); it != crashes_.end(); ++it) {
    if (it->first != id) continue;
    if (!it->second->read_failure().ok()) {
      crashes_.erase(it);
      return nullptr;
    }
    crashes_.splice(crashes_.begin(), crashes_, it);
    return it->second;
  }
  return nullptr;
}

void OpenedCrashCache::Forget(const CrashId& id) {
  absl::MutexLock lock(&mutex_);
  crashes_.remove_if([&](const auto& entry) { return entry.first == id; });
}

void OpenedCrashCache::Insert(const CrashId& id, std::shared_ptr<const OpenedCrash> crash) {
  absl::MutexLock lock(&mutex_);
  crashes_.emplace_front(id, std::move(crash));
  if (crashes_.size() > kCrashes) crashes_.pop_back();
}

}  // namespace corefleet

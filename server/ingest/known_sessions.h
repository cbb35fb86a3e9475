#ifndef COREFLEET_SERVER_INGEST_KNOWN_SESSIONS_H_
#define COREFLEET_SERVER_INGEST_KNOWN_SESSIONS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/synchronization/mutex.h"
#include "core/crash/ids.h"

namespace corefleet {

// Of which crashes this server has seen a session, open or complete, so that it need not ask the database
// before it turns away others. It knows some and not all: not those that ended before it started, nor those
// of another server on the same database, nor more than the last `capacity`. So nothing but a delay may rest
// on it. About 20 bytes each. Thread-safe.
class KnownSessions {
 public:
  explicit KnownSessions(size_t capacity = 100'000) : capacity_(capacity) {}

  size_t capacity() const { return capacity_; }

  void Add(const DeviceId& device, const CrashUid& uid) {
    const uint64_t key = KeyOf(device, uid);
    absl::MutexLock lock(&mutex_);
    if (!keys_.insert(key).second) return;
    by_age_.push_back(key);
    if (by_age_.size() <= capacity_) return;
    keys_.erase(by_age_.front());
    by_age_.pop_front();
  }

  bool Has(const DeviceId& device, const CrashUid& uid) const {
    const uint64_t key = KeyOf(device, uid);
    absl::MutexLock lock(&mutex_);
    return keys_.contains(key);
  }

 private:
  // Seeded for each process. Two crashes with one key cost a question to the database.
  static uint64_t KeyOf(const DeviceId& device, const CrashUid& uid) {
    return absl::Hash<std::pair<const DeviceId&, const CrashUid&>>()({device, uid});
  }

  const size_t capacity_;
  mutable absl::Mutex mutex_;
  absl::flat_hash_set<uint64_t> keys_ ABSL_GUARDED_BY(mutex_);
  std::deque<uint64_t> by_age_ ABSL_GUARDED_BY(mutex_);  // the oldest in front
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_INGEST_KNOWN_SESSIONS_H_

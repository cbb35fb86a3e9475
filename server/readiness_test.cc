#include "server/readiness.h"

#include <gtest/gtest.h>

#include "storage/memory/memory_crash_index.h"
#include "storage/memory/memory_pack_store.h"

namespace corefleet {
namespace {

class Turns {
 public:
  void Add(bool ready) {
    absl::MutexLock lock(&mutex_);
    turns_.push_back(ready);
  }
  bool Await(size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto reached = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return turns_.size() >= count; };
    return mutex_.AwaitWithTimeout(absl::Condition(&reached), absl::Seconds(30));
  }

 private:
  absl::Mutex mutex_;
  std::vector<bool> turns_ ABSL_GUARDED_BY(mutex_);
};

TEST(ReadinessTest, FollowsTheDatabaseAndTheDisk) {
  MemoryCrashIndex index;
  MemoryPackStore store;
  Turns turns;
  const Readiness readiness(&index, &store, 1000, [&](bool ready) { turns.Add(ready); });
  EXPECT_TRUE(readiness.status().ok()) << "known at once";
  index.SetStatus(absl::UnavailableError("down"));
  ASSERT_TRUE(turns.Await(2));
  EXPECT_TRUE(absl::IsUnavailable(readiness.status()));
  index.SetStatus(absl::OkStatus());
  ASSERT_TRUE(turns.Await(3));
  store.SetFreeBytes(10);
  ASSERT_TRUE(turns.Await(4));
  EXPECT_TRUE(absl::IsResourceExhausted(readiness.status()));
}

}  // namespace
}  // namespace corefleet

#ifndef COREFLEET_SERVER_ADMISSION_WATERMARKS_H_
#define COREFLEET_SERVER_ADMISSION_WATERMARKS_H_

#include <cstdint>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace corefleet {

// Whether the disk has room. Once it is full it stays full until there is clearly more room again, or a
// compactor and a fleet would take turns at the mark. Not thread-safe.
class DiskWatermark {
 public:
  // Full below `low` free bytes, and again open from `high` on.
  DiskWatermark(uint64_t low, uint64_t high) : low_(low), high_(high) {}

  // True when `bytes` more can be let in while `free` bytes are free and `promised` of them belong to
  // sessions that were let in before. Bytes count as they are announced: how well they will pack is not known
  // yet.
  bool HasRoom(uint64_t bytes, uint64_t free, uint64_t promised) {
    const uint64_t left = free > promised ? free - promised : 0;
    full_ = left < (full_ ? high_ : low_);
    return !full_ && left - low_ >= bytes;
  }
  bool full() const { return full_; }

 private:
  const uint64_t low_;
  const uint64_t high_;
  bool full_ = false;
};

// Whether the database keeps up: how long the questions take that every BeginCrash asks it, and how many
// crashes wait for their analysis. Each has two marks, as the disk has. Thread-safe.
class DatabaseLoad {
 public:
  struct Limits {
    absl::Duration slow =
        absl::Seconds(2);  // busy when an answer takes longer, on the average of the last ten
    absl::Duration quick = absl::Seconds(1);
    uint64_t backlog = 20'000;
    uint64_t backlog_again = 10'000;
  };

  explicit DatabaseLoad(const Limits& limits) : limits_(limits) {}

  // A question took so long.
  void Answered(absl::Duration took, absl::Time now);
  // So many crashes wait for analysis.
  void Backlog(uint64_t crashes, absl::Time now);

  // How long to stay away; none when it keeps up. For the backlog it is what the analysis needs at the speed
  // that it had since the last count.
  std::optional<absl::Duration> Busy(absl::Time now);

 private:
  const Limits limits_;
  absl::Mutex mutex_;
  double seconds_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time answered_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  bool slow_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t backlog_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time counted_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  double analysed_per_second_ ABSL_GUARDED_BY(mutex_) = 0;
  bool behind_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_ADMISSION_WATERMARKS_H_

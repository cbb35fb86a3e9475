#ifndef COREFLEET_TESTS_BENCH_LOAD_REPORT_H_
#define COREFLEET_TESTS_BENCH_LOAD_REPORT_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "tests/bench/load/device.h"
#include "tests/bench/load/schedule.h"

namespace corefleet {

// Counts how uploads ended and how long they took. Thread-safe.
class Report {
 public:
  // `ended`: when the try ended.
  void Add(const UploadOutcome& outcome, const Schedule::Job& job, absl::Time began, absl::Time ended);

  // One JSON object. README.md says what its fields mean.
  std::string Json(const Schedule& schedule, absl::Duration took, double cpu_seconds) const;

 private:
  struct Refusals {
    uint64_t count = 0;
    uint64_t without_delay = 0;
    std::vector<double> delays;  // seconds
  };

  mutable absl::Mutex mutex_;
  uint64_t stored_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t already_stored_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t raw_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t sent_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t breaks_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<double> upload_ms_ ABSL_GUARDED_BY(mutex_);   // begin to finish
  std::vector<double> offered_ms_ ABSL_GUARDED_BY(mutex_);  // from the crash to finish, refusals included
  std::map<std::string, Refusals> refused_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, uint64_t> rejected_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, uint64_t> failed_ ABSL_GUARDED_BY(mutex_);
  std::vector<uint64_t> stored_each_second_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace corefleet

#endif  // COREFLEET_TESTS_BENCH_LOAD_REPORT_H_

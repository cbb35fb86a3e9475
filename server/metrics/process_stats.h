#ifndef COREFLEET_SERVER_METRICS_PROCESS_STATS_H_
#define COREFLEET_SERVER_METRICS_PROCESS_STATS_H_

#include <cstdint>

namespace corefleet {

struct ProcessStats {
  uint64_t resident_bytes = 0;
  uint64_t open_fds = 0;
  uint64_t max_fds = 0;
};

// Of this process, from /proc and getrlimit. What cannot be read is 0.
ProcessStats ReadProcessStats();

}  // namespace corefleet

#endif  // COREFLEET_SERVER_METRICS_PROCESS_STATS_H_

#ifndef COREFLEET_SERVER_WATCHDOG_WATCHDOG_H_
#define COREFLEET_SERVER_WATCHDOG_WATCHDOG_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace corefleet {

// Asks this server's own ports, as a client would, whether they still answer, and gives up when one does not:
// then a new process, which systemd starts, serves again, and what was acknowledged is there. Thread-safe.
class Watchdog {
 public:
  struct Options {
    absl::Duration every = absl::Seconds(5);
    // An answer that takes longer is none.
    absl::Duration timeout = absl::Seconds(5);
    // So many in a row are the end.
    int misses = 3;
  };
  struct Port {
    std::string name;
    // Asks once, on a connection of its own. OK: it was answered. Blocks for `timeout`; should it not come
    // back at all, that is a miss as well.
    std::function<absl::Status(absl::Duration timeout)> ask;
  };

  // Starts to watch. `give_up` is called once, from a thread of the watchdog's, and is expected to end the
  // process.
  Watchdog(const Options& options, std::vector<Port> ports, std::function<void()> give_up);
  // Stops; waits for questions under way.
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  class Watch;
  std::vector<std::unique_ptr<Watch>> watches_;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_WATCHDOG_WATCHDOG_H_

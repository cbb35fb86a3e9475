#ifndef COREFLEET_SERVER_RPC_HEALTH_PROBE_H_
#define COREFLEET_SERVER_RPC_HEALTH_PROBE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"

namespace corefleet {

// Asks a port of this machine for its health as any client would: over a connection of its own, which is
// closed afterwards.
struct HealthProbe {
  std::string address;  // "host:port"; a host that means every address of the machine is asked on loopback
  bool tls = false;     // the server's certificate is not checked: it is our own
  std::string certificate;  // PEM, to show; empty: none
  std::string key;

  // OK if the port answered, whatever it said of its health. Blocks for at most `timeout`.
  //   UNAVAILABLE, DEADLINE_EXCEEDED  it did not
  absl::Status Ask(Clock* clock, absl::Duration timeout) const;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_RPC_HEALTH_PROBE_H_

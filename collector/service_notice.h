#ifndef COREFLEET_COLLECTOR_SERVICE_NOTICE_H_
#define COREFLEET_COLLECTOR_SERVICE_NOTICE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace corefleet {

// Tells systemd how the service is (sd_notify(3)), when it runs under systemd: one datagram to
// $NOTIFY_SOCKET. Does nothing elsewhere, and never fails.
class ServiceNotice {
 public:
  // Reads $NOTIFY_SOCKET and $WATCHDOG_USEC.
  ServiceNotice();

  void Ready() const { Send("READY=1"); }
  void Reloading() const { Send("RELOADING=1"); }
  void Stopping() const { Send("STOPPING=1"); }
  void Alive() const { Send("WATCHDOG=1"); }
  // One line for `systemctl status`.
  void Status(absl::string_view text) const;

  // How often Alive has to be called; InfiniteDuration when nobody watches.
  absl::Duration watchdog_interval() const { return watchdog_interval_; }

 private:
  void Send(absl::string_view text) const;

  std::string socket_;
  absl::Duration watchdog_interval_ = absl::InfiniteDuration();
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SERVICE_NOTICE_H_

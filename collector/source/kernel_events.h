#ifndef COREFLEET_COLLECTOR_SOURCE_KERNEL_EVENTS_H_
#define COREFLEET_COLLECTOR_SOURCE_KERNEL_EVENTS_H_

#include "collector/source/file_bytes.h"
#include "collector/source/source_schedule.h"
#include "core/bytes/byte_view.h"

namespace corefleet {

// True for a message of the kernel's event socket that says a dump may have come: a devcoredump was added, or
// a remote processor changed. Total; messages of udev and of other devices are none.
bool TellsOfDump(ByteView message);

// The kernel's events about devices (NETLINK_KOBJECT_UEVENT): a devcoredump is there for five minutes only. A
// hint: looking at a timer goes on beside it.
class KernelEvents final : public WakeSource {
 public:
  // Listens to the kernel; deaf (descriptor() is -1) where the system does not allow it.
  KernelEvents();
  // Listens to a socket of datagrams that a test made. Their sender is not looked at.
  explicit KernelEvents(OwnedFd socket) : socket_(std::move(socket)), from_kernel_(false) {}

  int descriptor() const override { return socket_.get(); }
  bool Take() override;

 private:
  OwnedFd socket_;
  bool from_kernel_ = true;
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SOURCE_KERNEL_EVENTS_H_

#include "server/rpc/peer.h"

namespace corefleet {

absl::StatusOr<DeviceCaller> DeviceCallerOf(const grpc::CallbackServerContext&) {
  return DeviceCaller::Anyone();
}

}  // namespace corefleet

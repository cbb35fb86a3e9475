#ifndef COREFLEET_SERVER_RPC_CALL_BUFFERS_H_
#define COREFLEET_SERVER_RPC_CALL_BUFFERS_H_

#include <grpcpp/resource_quota.h>

#include <atomic>
#include <cstddef>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace corefleet {

// What gRPC may buffer for the calls of one port: plenty while they are few, a bounded sum when they are
// many.
//
// As its quota fills, gRPC narrows the windows of all streams. A narrow window is updated more often, and
// each update is a packet of its own that the device has to read: a third of what a stream's transport costs.
// gRPC counts more than it has in use, so that eight busy streams narrow what hundreds of slow ones need as a
// bound.
//
// Thread-safe.
class CallBuffers {
 public:
  struct Sizes {
    int few;            // up to so many calls are few
    size_t few_bytes;   // for all of them together
    size_t many_bytes;  // for all, when they are more; less than few_bytes
  };

  explicit CallBuffers(const Sizes& sizes);
  CallBuffers(const CallBuffers&) = delete;
  CallBuffers& operator=(const CallBuffers&) = delete;

  // The server's; changes with the number of calls.
  const grpc::ResourceQuota& quota() const { return quota_; }
  // What it is now.
  size_t bytes() const;

  // A call has begun, or ended.
  void Enter();
  void Leave();

 private:
  // Looks at the number again, for others may have changed it meanwhile.
  void Fit();

  const Sizes sizes_;
  std::atomic<int> calls_{0};
  mutable absl::Mutex mutex_;
  bool many_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ResourceQuota quota_;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_RPC_CALL_BUFFERS_H_

#ifndef COREFLEET_SERVER_RPC_UPLOAD_STREAMS_H_
#define COREFLEET_SERVER_RPC_UPLOAD_STREAMS_H_

#include <functional>
#include <list>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "core/crash/ids.h"

namespace corefleet {

// Which streams are open, by session and by device, and how many there may be of each.
//
// A device that lost its network comes back on a new connection while its old stream still hangs, so it is
// never the new stream of a session that is turned away: the oldest one ends. A device, whatever certificate
// its bytes come with, has a few streams at a time, for each costs memory. Thread-safe.
class UploadStreams {
 public:
  struct Limits {
    // What a stream must remember of a session grows with the session.
    size_t of_session = 2;
    // A certificate of its own holds a device to fewer calls; this is for those that a gateway speaks for.
    size_t of_device = 64;
  };

  // One open stream, until it is destroyed.
  class Place {
   public:
    ~Place() { streams_->Leave(*this); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

   private:
    friend class UploadStreams;
    Place(UploadStreams* streams, const SessionId& session, const DeviceId& device,
          std::function<void()> supplant)
        : streams_(streams), session_(session), device_(device), supplant_(std::move(supplant)) {}

    UploadStreams* const streams_;
    const SessionId session_;
    const DeviceId device_;
    const std::function<void()> supplant_;
  };

  explicit UploadStreams(const Limits& limits) : limits_(limits) {}
  UploadStreams() : UploadStreams(Limits()) {}

  // `supplant` is told, from any thread and at most once, that newer streams have taken the place; it must
  // not block, and may be called until the place is destroyed and a moment longer.
  //   RESOURCE_EXHAUSTED  TOO_MANY_CALLS: the device has as many streams as it may, of other sessions
  absl::StatusOr<std::unique_ptr<Place>> Enter(const SessionId& session, const DeviceId& device,
                                               std::function<void()> supplant);

  // Sessions that have an open stream.
  size_t sessions();

 private:
  void Leave(const Place& place);

  const Limits limits_;
  absl::Mutex mutex_;
  // The oldest in front. One that was supplanted is not here any more.
  absl::flat_hash_map<std::string, std::list<const Place*>> of_session_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, size_t> of_device_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_RPC_UPLOAD_STREAMS_H_

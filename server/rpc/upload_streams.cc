#include "server/rpc/upload_streams.h"

#include <random>
#include <utility>

#include "absl/time/time.h"
#include "server/admission/refusal.h"

namespace corefleet {
namespace {

// Its other streams end, or stall, within a minute; most of them within seconds.
absl::Status TooManyStreams() {
  thread_local std::minstd_rand random(std::random_device{}());
  return RefusedStatus({.reason = RefusalReason::kTooManyCalls,
                        .message = "the device has too many uploads under way",
                        .limit = "streams_of_one",
                        .delay = absl::Milliseconds(1000 + random() % 4000)});
}

}  // namespace

absl::StatusOr<std::unique_ptr<UploadStreams::Place>> UploadStreams::Enter(const SessionId& session,
                                                                           const DeviceId& device,
                                                                           std::function<void()> supplant) {
  std::unique_ptr<Place> place(new Place(this, session, device, std::move(supplant)));
  std::function<void()> supplant_oldest;
  bool full = false;
  {
    absl::MutexLock lock(&mutex_);
    // Counted first: Leave, which the place's end calls, takes it back.
    size_t& devices = ++of_device_[device.value()];
    std::list<const Place*>& streams = of_session_[session.value()];
    streams.push_back(place.get());
    if (streams.size() > limits_.of_session) {
      supplant_oldest = streams.front()->supplant_;
      streams.pop_front();
    } else {
      full = devices > limits_.of_device;
    }
  }
  if (full) return TooManyStreams();
  if (supplant_oldest) supplant_oldest();
  return place;
}

size_t UploadStreams::sessions() {
  absl::MutexLock lock(&mutex_);
  return of_session_.size();
}

void UploadStreams::Leave(const Place& place) {
  absl::MutexLock lock(&mutex_);
  const auto device = of_device_.find(place.device_.value());
  if (--device->second == 0) of_device_.erase(device);
  const auto session = of_session_.find(place.session_.value());
  if (session == of_session_.end()) return;
  session->second.remove(&place);
  if (session->second.empty()) of_session_.erase(session);
}

}  // namespace corefleet

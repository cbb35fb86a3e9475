#include "server/admission/bytes_in_flight.h"

#include <algorithm>

namespace corefleet {
namespace {

constexpr absl::Duration kMeasure = absl::Seconds(1);
// After a pause this long, what was measured before it says nothing.
constexpr absl::Duration kStale = absl::Seconds(30);

}  // namespace

uint64_t BytesInFlight::Counted(uint64_t remaining) const {
  return std::min(remaining, limits_.session_bytes);
}

bool BytesInFlight::HasRoom(uint64_t bytes, absl::Time now, bool in_turn) {
  absl::MutexLock lock(&mutex_);
  ForgetStalled(now);
  const bool others_first = !in_turn && queue_ends_ > now;
  const uint64_t limit = others_first ? limits_.bytes / 4 * 3 : limits_.bytes;
  return counted_ == 0 || counted_ + Counted(bytes) <= limit;
}

absl::Duration BytesInFlight::Wait(uint64_t bytes, absl::Time now) {
  absl::MutexLock lock(&mutex_);
  // What stalls is gone after `stall`: no slower than that does it become less.
  const double slowest = std::max<double>(1, counted_ / absl::ToDoubleSeconds(limits_.stall));
  const double speed = std::max(bytes_per_second_, slowest);
  const uint64_t over = counted_ > limits_.bytes ? counted_ - limits_.bytes : 0;
  const auto takes = [&](uint64_t n) { return absl::Seconds(n / speed); };
  queue_ends_ = std::max(queue_ends_, now + takes(over)) + takes(Counted(bytes));
  return queue_ends_ - now;
}

void BytesInFlight::Change(Session* session, uint64_t remaining) {
  counted_ += Counted(remaining) - Counted(session->remaining);
  remaining_ += remaining - session->remaining;
  session->remaining = remaining;
}

void BytesInFlight::Forget(BySilence::iterator session) {
  Change(&*session, 0);
  by_id_.erase(session->id);
  sessions_.erase(session);
}

void BytesInFlight::ForgetStalled(absl::Time now) {
  while (!sessions_.empty() &&
         (sessions_.front().heard + limits_.stall <= now || sessions_.size() > limits_.sessions)) {
    Forget(sessions_.begin());
  }
}

void BytesInFlight::Expect(const SessionId& session, uint64_t bytes, absl::Time now) {
  absl::MutexLock lock(&mutex_);
  const auto [found, fresh] = by_id_.try_emplace(session);
  if (fresh) {
    found->second = sessions_.insert(sessions_.end(), {session, 0, now});
  } else {
    sessions_.splice(sessions_.end(), sessions_, found->second);
  }
  Session& entry = sessions_.back();
  entry.heard = now;
  Change(&entry, bytes);
  ForgetStalled(now);
}

void BytesInFlight::Brought(const SessionId& session, uint64_t bytes, absl::Time now) {
  absl::MutexLock lock(&mutex_);
  Measure(bytes, now);
  const auto found = by_id_.find(session);
  if (found == by_id_.end()) return;  // it stalled for a while: what it still brings is little
  sessions_.splice(sessions_.end(), sessions_, found->second);
  Session& entry = sessions_.back();
  entry.heard = now;
  Change(&entry, entry.remaining - std::min(bytes, entry.remaining));
}

void BytesInFlight::End(const SessionId& session) {
  absl::MutexLock lock(&mutex_);
  const auto found = by_id_.find(session);
  if (found != by_id_.end()) Forget(found->second);
}

void BytesInFlight::Measure(uint64_t bytes, absl::Time now) {
  const absl::Duration took = now - measured_since_;
  if (took > kStale || took < absl::ZeroDuration()) {
    bytes_per_second_ = 0;
    measured_bytes_ = bytes;
    measured_since_ = now;
    return;
  }
  measured_bytes_ += bytes;
  if (took < kMeasure) return;
  const double speed = measured_bytes_ / absl::ToDoubleSeconds(took);
  bytes_per_second_ = bytes_per_second_ == 0 ? speed : 0.7 * bytes_per_second_ + 0.3 * speed;
  measured_bytes_ = 0;
  measured_since_ = now;
}

uint64_t BytesInFlight::counted() const {
  absl::MutexLock lock(&mutex_);
  return counted_;
}

uint64_t BytesInFlight::remaining() const {
  absl::MutexLock lock(&mutex_);
  return remaining_;
}

}  // namespace corefleet

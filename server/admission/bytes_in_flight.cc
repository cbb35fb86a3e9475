#include "server/admission/bytes_in_flight.h"

#include <algorithm>

#include "absl/hash/hash.h"

namespace corefleet {
namespace {

// A session counts whole for so long, and afterwards for what it brings in kAhead.
constexpr absl::Duration kNew = absl::Seconds(1);
constexpr absl::Duration kAhead = absl::Milliseconds(500);

}  // namespace

uint64_t BytesInFlight::WorkOf(uint64_t bytes) const {
  return std::min(bytes, limits_.session_work) + kCrashWork;
}

uint64_t BytesInFlight::WorkOf(const Session& session, absl::Time now) const {
  const uint64_t whole = WorkOf(session.remaining);
  const absl::Duration age = now - session.since;
  if (age <= kNew) return whole;
  const double ahead = static_cast<double>(session.brought) * absl::FDivDuration(kAhead, age);
  return std::min(whole, static_cast<uint64_t>(ahead));
}

BytesInFlight::Room BytesInFlight::RoomFor(const DeviceId& device, uint64_t bytes, absl::Time now,
                                           bool in_turn) {
  absl::MutexLock lock(&mutex_);
  ForgetSilent(now);
  if (work_ == 0) return Room::kFree;
  const uint64_t limit = limit_.limit(now);
  const uint64_t after = work_ + WorkOf(bytes);
  const auto own = by_device_.find(absl::Hash<DeviceId>()(device));
  if (own != by_device_.end() && after > limit / 2 &&
      (own->second.promised > 0 || own->second.work + WorkOf(bytes) > limit / 4)) {
    return Room::kDeviceFull;
  }
  const bool others_first = !in_turn && queue_ends_ > now;
  if (after <= (others_first ? limit / 4 * 3 : limit)) return Room::kFree;
  limit_.KeptOut(now);
  return Room::kFull;
}

absl::Duration BytesInFlight::Queue(uint64_t bytes, absl::Time now, absl::Time* ends) {
  const double speed = limit_.speed(now);
  // Sooner there is hardly room for those who will be let in meanwhile, and to be refused again costs both
  // sides a call. With half of what may be in flight left the server does not run dry.
  const uint64_t half = limit_.limit(now) / 2;
  const double over = work_ > half ? static_cast<double>(work_ - half) : 0;
  *ends = std::max(*ends, now + absl::Seconds(over / speed)) +
          absl::Seconds(static_cast<double>(WorkOf(bytes)) / speed);
  return *ends - now;
}

absl::Duration BytesInFlight::Wait(uint64_t bytes, absl::Time now) {
  absl::MutexLock lock(&mutex_);
  return Queue(bytes, now, &queue_ends_);
}

absl::Duration BytesInFlight::WaitInTurn(uint64_t bytes, absl::Time now) {
  absl::MutexLock lock(&mutex_);
  return Queue(bytes, now, &late_ends_);
}

uint64_t BytesInFlight::BelievedOf(const Session& session) {
  const uint64_t by_what_came =
      session.brought > session.remaining ? session.remaining : 16 * session.brought;
  return std::min(session.remaining, kBelieved + by_what_came);
}

void BytesInFlight::Reserve(Session* session, uint64_t bytes) {
  remaining_ += bytes - session->reserved;
  session->reserved = bytes;
}

void BytesInFlight::Count(Session* session, uint64_t work) {
  const bool promised = work > 0 && session->brought == 0;
  work_ += work - session->work;
  OfDevice& own = by_device_[session->device];
  own.work += work - session->work;
  own.promised += promised;
  own.promised -= session->promised;
  if (own.work == 0) by_device_.erase(session->device);
  session->work = work;
  session->promised = promised;
}

void BytesInFlight::Heard(BySilence::iterator session, absl::Time now) {
  active_.splice(active_.end(), *ListOf(*session), session);
  session->silent = false;
  session->heard = now;
  Count(&*session, WorkOf(*session, now));
  Reserve(&*session, BelievedOf(*session));
}

void BytesInFlight::Silence(BySilence::iterator session) {
  if (session->silent) return;
  silent_.splice(silent_.end(), active_, session);
  session->silent = true;
  if (session->brought == 0) Reserve(&*session, 0);
  Count(&*session, 0);
}

void BytesInFlight::Forget(BySilence::iterator session) {
  Count(&*session, 0);
  Reserve(&*session, 0);
  by_id_.erase(session->id);
  ListOf(*session)->erase(session);
}

void BytesInFlight::ForgetSilent(absl::Time now) {
  while (!active_.empty() && active_.front().heard + limits_.silence <= now) Silence(active_.begin());
  while (!silent_.empty() &&
         (silent_.front().heard + limits_.stall <= now || by_id_.size() > limits_.sessions)) {
    Forget(silent_.begin());
  }
  while (by_id_.size() > limits_.sessions) Forget(active_.begin());
}

void BytesInFlight::Expect(const SessionId& session, const DeviceId& device, uint64_t bytes, absl::Time now) {
  absl::MutexLock lock(&mutex_);
  const auto [found, fresh] = by_id_.try_emplace(session);
  if (fresh) {
    found->second = active_.insert(
        active_.end(), Session{.id = session, .device = absl::Hash<DeviceId>()(device), .silent = false});
  }
  Session& entry = *found->second;
  entry.remaining = bytes;
  entry.brought = 0;
  entry.since = now;
  Heard(found->second, now);
  ForgetSilent(now);
}

void BytesInFlight::Brought(const SessionId& session, uint64_t bytes, absl::Time now) {
  absl::MutexLock lock(&mutex_);
  limit_.Finished(bytes, now);
  const auto found = by_id_.find(session);
  if (found == by_id_.end()) return;  // it stalled for a while: what it still brings is little
  Session& entry = *found->second;
  const uint64_t expected = std::min(bytes, entry.remaining);
  entry.remaining -= expected;
  entry.brought += bytes;
  Heard(found->second, now);
}

void BytesInFlight::Left(const SessionId& session) {
  absl::MutexLock lock(&mutex_);
  const auto found = by_id_.find(session);
  if (found != by_id_.end()) Silence(found->second);
}

void BytesInFlight::End(const SessionId& session, absl::Time now) {
  absl::MutexLock lock(&mutex_);
  const auto found = by_id_.find(session);
  if (found == by_id_.end()) return;
  if (found->second->brought > 0) limit_.Finished(kCrashWork, now);
  Forget(found->second);
}

void BytesInFlight::Took(ServerPart part, absl::Duration took, absl::Time now) {
  absl::MutexLock lock(&mutex_);
  limit_.Took(part, took, now);
}

BytesInFlight::Standing BytesInFlight::standing(absl::Time now) {
  absl::MutexLock lock(&mutex_);
  ForgetSilent(now);
  return {.work = work_,
          .limit = limit_.limit(now),
          .speed = limit_.speed(now),
          .delay = limit_.delay(),
          .queue = std::max(std::max(queue_ends_, late_ends_) - now, absl::ZeroDuration()),
          .binding = limit_.binding(now),
          .at_most = limit_.at_most()};
}

bool BytesInFlight::binding(absl::Time now) {
  absl::MutexLock lock(&mutex_);
  return limit_.binding(now);
}

uint64_t BytesInFlight::remaining() const {
  absl::MutexLock lock(&mutex_);
  return remaining_;
}

}  // namespace corefleet

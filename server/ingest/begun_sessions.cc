#include "server/ingest/begun_sessions.h"

#include <utility>

namespace corefleet {

void BegunSessions::Put(Session session, absl::Time now) {
  absl::MutexLock lock(&mutex_);
  regions_ += session.manifest.regions.size();
  made_.emplace_back(now, session.id);
  sessions_.insert_or_assign(session.id.value(), std::move(session));
  while (!made_.empty() && (regions_ > max_regions_ || now - made_.front().first >= keep_)) {
    Forget(made_.front().second);
    made_.pop_front();
  }
}

std::optional<Session> BegunSessions::Take(const SessionId& id, absl::Time now) {
  absl::MutexLock lock(&mutex_);
  while (!made_.empty() && now - made_.front().first >= keep_) {
    Forget(made_.front().second);
    made_.pop_front();
  }
  const auto it = sessions_.find(id.value());
  if (it == sessions_.end()) return std::nullopt;
  std::optional<Session> session = std::move(it->second);
  regions_ -= session->manifest.regions.size();
  sessions_.erase(it);
  return session;
}

void BegunSessions::Forget(const SessionId& id) {
  const auto it = sessions_.find(id.value());
  if (it == sessions_.end()) return;
  regions_ -= it->second.manifest.regions.size();
  sessions_.erase(it);
}

}  // namespace corefleet

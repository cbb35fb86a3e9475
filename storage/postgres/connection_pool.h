#ifndef COREFLEET_STORAGE_POSTGRES_CONNECTION_POOL_H_
#define COREFLEET_STORAGE_POSTGRES_CONNECTION_POOL_H_

#include <memory>
#include <pqxx/pqxx>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace corefleet {

// What `connection_string` (either of libpq's forms) says, and time limits where it says nothing.
std::string WithTimeLimits(const std::string& connection_string);

// SQL that every connection starts with: time limits, and a planner that walks indexes in order. All our
// queries have an index in the order they want; for a small table the planner would rather gather all matches
// and sort them.
std::string SessionSettings(absl::Duration timeout);

// A few connections to one database, opened when they are needed. Thread-safe.
class ConnectionPool {
 public:
  // `timeout` bounds a Run in all: a database that stops answering, even one whose process is only stopped,
  // makes it fail and never hang.
  ConnectionPool(const std::string& connection_string, int max_connections, absl::Duration timeout);
  // No Run may be under way.
  ~ConnectionPool();
  ConnectionPool(const ConnectionPool&) = delete;
  ConnectionPool& operator=(const ConnectionPool&) = delete;

  // Runs `body` on a connection, and again if it lost a race (ABORTED), if the connection was an old one that
  // had died meanwhile, or if nobody knows whether it worked: `body` must be idempotent. Codes: CatchPqxx's
  // and body's.
  absl::Status Run(absl::FunctionRef<absl::Status(pqxx::connection&)> body);

 private:
  struct Connection;
  struct Lease;

  absl::Status RunOnce(absl::FunctionRef<absl::Status(pqxx::connection&)> body, absl::Time deadline,
                       bool* reused);
  absl::StatusOr<std::unique_ptr<Connection>> Acquire(absl::Time deadline, bool* reused);
  void Release(std::unique_ptr<Connection> connection, bool healthy);
  absl::StatusOr<std::unique_ptr<Connection>> Connect() const;
  void DropIdle();
  void Watch();
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || !leases_.empty(); }

  const std::string connection_string_;
  const int max_connections_;
  const absl::Duration timeout_;

  absl::Mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_ ABSL_GUARDED_BY(mutex_);
  int out_ ABSL_GUARDED_BY(mutex_) = 0;
  std::set<Lease*> leases_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread watchdog_;
};

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_POSTGRES_CONNECTION_POOL_H_

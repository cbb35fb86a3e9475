#include "storage/postgres/connection_pool.h"

#include <sys/socket.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "storage/postgres/pqxx_status.h"
#include "storage/postgres/statements.h"

namespace corefleet {
namespace {

constexpr int kMaxAttempts = 6;
constexpr absl::Duration kWatchInterval = absl::Milliseconds(250);

absl::Time Now() { return Clock::Real()->Now(); }

}  // namespace

struct ConnectionPool::Connection {
  explicit Connection(const std::string& connection_string)
      : connection(connection_string), quiet(connection) {}
  pqxx::connection connection;
  // libpqxx prints the server's notices to standard error otherwise.
  pqxx::quiet_errorhandler quiet;
};

// A connection that is lent out, for the watchdog.
struct ConnectionPool::Lease {
  int socket;
  absl::Time deadline;
};

std::string WithTimeLimits(const std::string& connection_string) {
  const bool uri = absl::StrContains(connection_string, "://");
  std::string out = connection_string;
  for (const auto& [key, value] : {std::pair("connect_timeout", "2"), std::pair("tcp_user_timeout", "5000"),
                                   std::pair("application_name", "corefleetd")}) {
    if (absl::StrContains(connection_string, absl::StrCat(key, "="))) continue;
    const char* separator = !uri ? " " : absl::StrContains(out, "?") ? "&" : "?";
    absl::StrAppend(&out, separator, key, "=", value);
  }
  return out;
}

std::string SessionSettings(absl::Duration timeout) {
  return absl::StrCat(
      "SET statement_timeout = ", absl::ToInt64Milliseconds(timeout),
      "; SET lock_timeout = ", absl::ToInt64Milliseconds(timeout / 2),
      "; SET idle_in_transaction_session_timeout = 30000; SET client_min_messages = warning"
      "; SET default_transaction_isolation = 'read committed'; SET timezone = 'UTC'; SET jit = off"
      "; SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off"
      // What is joined is a few rows given or changed by the same statement. A plan that was made while a
      // table was empty must not read all of it when it is full.
      "; SET enable_hashjoin = off; SET enable_mergejoin = off"
      "; SET random_page_cost = 1.1"
      // Planning costs a millisecond for each month, so a prepared statement is planned once and for all.
      "; SET plan_cache_mode = force_generic_plan");
}

ConnectionPool::ConnectionPool(const std::string& connection_string, int max_connections,
                               absl::Duration timeout)
    : connection_string_(WithTimeLimits(connection_string)),
      max_connections_(max_connections),
      timeout_(timeout),
      watchdog_([this] { Watch(); }) {}

ConnectionPool::~ConnectionPool() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  watchdog_.join();
}

absl::Status ConnectionPool::Run(absl::FunctionRef<absl::Status(pqxx::connection&)> body) {
  const absl::Time deadline = Now() + timeout_;
  absl::Status status;
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    bool reused = false;
    status = RunOnce(body, deadline, &reused);
    const bool again =
        absl::IsAborted(status) || absl::IsUnknown(status) || (absl::IsUnavailable(status) && reused);
    if (!again || Now() >= deadline) return status;
    // The database was restarted: the other idle connections are as dead as this one.
    if (!absl::IsAborted(status)) DropIdle();
  }
  return status;
}

absl::Status ConnectionPool::RunOnce(absl::FunctionRef<absl::Status(pqxx::connection&)> body,
                                     absl::Time deadline, bool* reused) {
  ASSIGN_OR_RETURN(std::unique_ptr<Connection> connection, Acquire(deadline, reused));
  Lease lease{connection->connection.sock(), deadline};
  {
    absl::MutexLock lock(&mutex_);
    leases_.insert(&lease);
  }
  const absl::Status status = CatchPqxx([&] { return body(connection->connection); });
  {
    absl::MutexLock lock(&mutex_);
    leases_.erase(&lease);
  }
  const bool healthy =
      !absl::IsUnavailable(status) && !absl::IsUnknown(status) && connection->connection.is_open();
  Release(std::move(connection), healthy);
  return status;
}

absl::StatusOr<std::unique_ptr<ConnectionPool::Connection>> ConnectionPool::Acquire(absl::Time deadline,
                                                                                    bool* reused) {
  {
    absl::MutexLock lock(&mutex_);
    const auto free = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return out_ < max_connections_; };
    if (!mutex_.AwaitWithTimeout(absl::Condition(&free), deadline - Now())) {
      return absl::UnavailableError("all connections to the database are busy");
    }
    ++out_;
    if (!idle_.empty()) {
      *reused = true;
      std::unique_ptr<Connection> connection = std::move(idle_.back());
      idle_.pop_back();
      return connection;
    }
  }
  absl::StatusOr<std::unique_ptr<Connection>> connection = Connect();
  if (!connection.ok()) Release(nullptr, false);
  return connection;
}

void ConnectionPool::Release(std::unique_ptr<Connection> connection, bool healthy) {
  absl::MutexLock lock(&mutex_);
  --out_;
  if (healthy) idle_.push_back(std::move(connection));
}

absl::StatusOr<std::unique_ptr<ConnectionPool::Connection>> ConnectionPool::Connect() const {
  std::unique_ptr<Connection> connection;
  const absl::Status status = CatchPqxx([&] {
    connection = std::make_unique<Connection>(connection_string_);
    pqxx::nontransaction setup(connection->connection);
    setup.exec(SessionSettings(timeout_));
    for (const Statement& statement : Statements())
      connection->connection.prepare(statement.name, statement.sql);
    return absl::OkStatus();
  });
  if (!status.ok()) {
    return absl::UnavailableError(absl::StrCat("the database cannot be reached: ", status.message()));
  }
  return connection;
}

void ConnectionPool::DropIdle() {
  std::vector<std::unique_ptr<Connection>> dropped;
  absl::MutexLock lock(&mutex_);
  dropped.swap(idle_);
}

// libpq waits for an answer without a limit. Shutting the socket down makes it give up.
void ConnectionPool::Watch() {
  absl::MutexLock lock(&mutex_);
  while (!mutex_.AwaitWithTimeout(absl::Condition(&stopping_), kWatchInterval)) {
    if (leases_.empty()) mutex_.Await(absl::Condition(this, &ConnectionPool::HasWork));
    for (const Lease* lease : leases_) {
      if (Now() >= lease->deadline) ::shutdown(lease->socket, SHUT_RDWR);
    }
  }
}

}  // namespace corefleet

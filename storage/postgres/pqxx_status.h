#ifndef COREFLEET_STORAGE_POSTGRES_PQXX_STATUS_H_
#define COREFLEET_STORAGE_POSTGRES_PQXX_STATUS_H_

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

namespace corefleet {

// The wall around libpqxx: runs `body` and turns what it throws into a status. With its .cc, the only try and
// catch around libpqxx.
//   UNKNOWN              the outcome of a commit is not known
//   ABORTED              serialization failure, deadlock, lock not had in time
//   UNAVAILABLE          the connection broke, the server stops or starts or is read-only, a statement timed
//   out ALREADY_EXISTS       unique violation FAILED_PRECONDITION  another constraint is violated
//   RESOURCE_EXHAUSTED   the server has no disk or memory left
//   INTERNAL             any other SQL error, with its SQLSTATE
absl::Status CatchPqxx(absl::FunctionRef<absl::Status()> body);

// The same for the exception in flight. Call it inside a catch block only.
absl::Status StatusFromPqxxException();

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_POSTGRES_PQXX_STATUS_H_

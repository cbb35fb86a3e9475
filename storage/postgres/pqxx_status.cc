#include "storage/postgres/pqxx_status.h"

#include <pqxx/pqxx>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace corefleet {
namespace {

// PostgreSQL's appendix A. What libpqxx has no class for, and what a caller must tell apart.
absl::Status StatusFromSqlError(const pqxx::sql_error& error) {
  const std::string& state = error.sqlstate();
  const std::string message = absl::StrCat(state, ": ", absl::StripAsciiWhitespace(error.what()));
  const bool stops_or_starts =
      absl::StartsWith(state, "57P0");  // admin_shutdown, crash_shutdown, cannot_connect_now
  if (stops_or_starts || state == "57014" || state == "25006" || absl::StartsWith(state, "08")) {
    return absl::UnavailableError(message);
  }
  if (state == "55P03") return absl::AbortedError(message);
  return absl::InternalError(message);
}

}  // namespace

absl::Status StatusFromPqxxException() {
  // The order matters: libpqxx 6 derives statement_completion_unknown from transaction_rollback.
  try {
    throw;
  } catch (const pqxx::in_doubt_error& e) {
    return absl::UnknownError(e.what());
  } catch (const pqxx::statement_completion_unknown& e) {
    return absl::UnknownError(e.what());
  } catch (const pqxx::transaction_rollback& e) {
    return absl::AbortedError(e.what());
  } catch (const pqxx::broken_connection& e) {
    return absl::UnavailableError(absl::StripAsciiWhitespace(e.what()));
  } catch (const pqxx::unique_violation& e) {
    return absl::AlreadyExistsError(e.what());
  } catch (const pqxx::integrity_constraint_violation& e) {
    return absl::FailedPreconditionError(e.what());
  } catch (const pqxx::insufficient_resources& e) {
    return absl::ResourceExhaustedError(e.what());
  } catch (const pqxx::sql_error& e) {
    return StatusFromSqlError(e);
  } catch (const std::exception& e) {
    return absl::InternalError(e.what());
  }
}

absl::Status CatchPqxx(absl::FunctionRef<absl::Status()> body) {
  try {
    return body();
  } catch (...) {
    return StatusFromPqxxException();
  }
}

}  // namespace corefleet

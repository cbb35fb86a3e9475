#include "storage/postgres/migration.h"

#include "absl/strings/str_cat.h"

namespace corefleet {

absl::Status Migrate(pqxx::connection& connection, const std::vector<SchemaStep>& steps) {
  pqxx::work transaction(connection);
  // Another replica may be at it for longer than a request may take. The number is "corefleet" in no
  // particular code.
  transaction.exec("SET LOCAL statement_timeout = '120s'; SET LOCAL lock_timeout = '120s'");
  transaction.exec("SELECT pg_advisory_xact_lock(7443744474800001)");
  transaction.exec(
      "CREATE TABLE IF NOT EXISTS schema_migrations (version integer PRIMARY KEY, name text NOT NULL,"
      " applied_at timestamptz NOT NULL DEFAULT now())");
  const int have = transaction.exec1("SELECT COALESCE(max(version), 0) FROM schema_migrations")[0].as<int>();
  const int known = steps.empty() ? 0 : steps.back().version;
  if (have > known) {
    return absl::FailedPreconditionError(absl::StrCat("the database's schema has version ", have,
                                                      "; this server knows ", known, ": it is older"));
  }
  for (const SchemaStep& step : steps) {
    if (step.version <= have) continue;
    transaction.exec(step.sql);
    transaction.exec_params("INSERT INTO schema_migrations (version, name) VALUES ($1, $2)", step.version,
                            step.name);
  }
  transaction.commit();
  return absl::OkStatus();
}

}  // namespace corefleet

#ifndef COREFLEET_STORAGE_POSTGRES_MIGRATION_H_
#define COREFLEET_STORAGE_POSTGRES_MIGRATION_H_

#include <pqxx/pqxx>
#include <vector>

#include "absl/status/status.h"
#include "storage/schema/schema.h"

namespace corefleet {

// Applies the steps that are missing, in one transaction and under an advisory lock, so that replicas may
// start together. Throws libpqxx's exceptions.
//   FAILED_PRECONDITION  the schema has a step that is not in `steps`: a newer version made it
absl::Status Migrate(pqxx::connection& connection, const std::vector<SchemaStep>& steps);

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_POSTGRES_MIGRATION_H_

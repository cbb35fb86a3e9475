#ifndef COREFLEET_STORAGE_SCHEMA_SCHEMA_H_
#define COREFLEET_STORAGE_SCHEMA_SCHEMA_H_

#include <string>
#include <vector>

namespace corefleet {

// One step of the schema: storage/schema/NNNN_name.sql, compiled in.
struct SchemaStep {
  int version;       // NNNN
  std::string name;  // "NNNN_name.sql"
  std::string sql;
};

// All steps, in order. A published step is never changed; the next one is added.
const std::vector<SchemaStep>& SchemaSteps();

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_SCHEMA_SCHEMA_H_

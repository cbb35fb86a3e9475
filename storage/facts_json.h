#ifndef COREFLEET_STORAGE_FACTS_JSON_H_
#define COREFLEET_STORAGE_FACTS_JSON_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/crash/facts.h"

namespace corefleet {

// How much of the facts is written: a list needs neither regions nor defects.
enum class FactsDetail { kAll, kSummary };

// The facts as one line of JSON, as they are kept in the database. Provenance and defect codes go by name,
// states by number. A byte that JSON text in PostgreSQL cannot hold (NUL, no UTF-8) is replaced; our own
// strings have none.
std::string EncodeFacts(const CrashFacts& facts, FactsDetail detail);

// And back. What a newer version wrote beyond what we know (fields, defect codes) is left out.
//   DATA_LOSS  not JSON, or a field of the wrong type
absl::StatusOr<CrashFacts> DecodeFacts(absl::string_view json);

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_FACTS_JSON_H_

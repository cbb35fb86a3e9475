#ifndef COREFLEET_STORAGE_POSTGRES_HINTS_JSON_H_
#define COREFLEET_STORAGE_POSTGRES_HINTS_JSON_H_

#include <string>

#include "absl/strings/string_view.h"
#include "storage/crash_index.h"

namespace corefleet {

// A session's hints as JSON that a text column takes and PostgreSQL's json functions read; "" for none. Text
// that is no UTF-8 or has a NUL is escaped, and cut at 256 bytes.
std::string EncodeHints(const CrashHints& hints);

// The hints that EncodeHints made; what is not there, or of another type, is left empty.
CrashHints DecodeHints(absl::string_view json);

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_POSTGRES_HINTS_JSON_H_

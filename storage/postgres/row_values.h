#ifndef COREFLEET_STORAGE_POSTGRES_ROW_VALUES_H_
#define COREFLEET_STORAGE_POSTGRES_ROW_VALUES_H_

#include <optional>
#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "storage/crash_index.h"

// Our values as PostgreSQL's and back. All may throw libpqxx's exceptions.
namespace corefleet {

// Text that a text column takes: bytes that are no UTF-8, and NUL, become \xNN; cut at `max_bytes`, between
// characters.
std::string ToText(absl::string_view raw, size_t max_bytes = 1 << 20);

// "2026-11-23 02:30:00.000000+00", "infinity", "-infinity".
std::string ToTimestamp(absl::Time time);

// The 64 bits of a mask in a signed column, and back.
inline int64_t ToBigint(uint64_t bits) { return static_cast<int64_t>(bits); }
inline uint64_t FromBigint(int64_t value) { return static_cast<uint64_t>(value); }

// A bytea parameter.
pqxx::binarystring ToBytea(absl::string_view bytes);
std::string FromBytea(const pqxx::field& field);

// A parameter that may be NULL. The value must outlive the call.
inline const char* OrNull(const std::optional<std::string>& text) { return text ? text->c_str() : nullptr; }

// '{"a","b"}': a parameter of type text[].
std::string TextArray(const std::vector<std::string>& texts);

// A session and its manifest, from column `first` of the row on.
absl::StatusOr<Session> SessionFromRow(const pqxx::row& row, int first = 0);
// kCrashColumns, then the facts in JSON or NULL.
absl::StatusOr<StoredCrash> CrashFromRow(const pqxx::row& row);
// Rows of key, offset, size, index, and what else there may be. A row without a key says: none.
absl::StatusOr<std::vector<StoredPack>> PacksFromRows(const pqxx::result& rows);
inline constexpr int kPackColumns = 4;

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_POSTGRES_ROW_VALUES_H_

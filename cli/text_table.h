#ifndef COREFLEET_CLI_TEXT_TABLE_H_
#define COREFLEET_CLI_TEXT_TABLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "google/protobuf/timestamp.pb.h"

namespace corefleet {

// Rows of cells in columns for a terminal: every cell escaped, columns as wide as their widest cell and two
// blanks apart, the last one not padded. Each row must have as many cells as the first.
std::string FormatTable(const std::vector<std::vector<std::string>>& rows, absl::string_view indent = "");

// "512 B", "64.0 KiB", "1.5 MiB".
std::string FormatBytes(uint64_t bytes);
// "2026-11-23 02:10:11" in UTC; "-" for no time.
std::string FormatTime(const google::protobuf::Timestamp& time);

}  // namespace corefleet

#endif  // COREFLEET_CLI_TEXT_TABLE_H_

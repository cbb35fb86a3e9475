#ifndef COREFLEET_BASE_LOG_H_
#define COREFLEET_BASE_LOG_H_

#include <initializer_list>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace corefleet {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// One `key=value` pair of a log line. The value is written escaped: what a device sent cannot forge a line.
using LogField = std::pair<absl::string_view, std::string>;

// Writes one line to standard error: `level=info event="pack sealed" bytes=4096`. Thread-safe: a line is one
// write. Lines below the level set by SetLogLevel (default kInfo) are dropped.
void Log(LogLevel level, absl::string_view event, std::initializer_list<LogField> fields = {});

// Sets the lowest level that is written. Call it from main, before other threads start.
void SetLogLevel(LogLevel level);

// The line that Log would write, without the newline. Pure.
std::string FormatLogLine(LogLevel level, absl::string_view event, std::initializer_list<LogField> fields);

}  // namespace corefleet

#endif  // COREFLEET_BASE_LOG_H_

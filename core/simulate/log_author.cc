#include "core/simulate/log_author.h"

#include <utility>

namespace corefleet {

LogAuthor& LogAuthor::Say(uint8_t level, std::string text) {
  if (clock_runs_) now_nsec_ += random_.Between(4'000, 900'000);
  LogRecord record;
  record.seq = records_.size();
  record.ts_nsec = clock_runs_ ? now_nsec_ : 0;
  record.level = level;
  record.flags = 2;
  record.caller_id = caller_id_;
  record.text = std::move(text);
  records_.push_back(std::move(record));
  return *this;
}

void LogAuthor::Become(uint32_t caller_id, uint8_t level) {
  caller_id_ = caller_id;
  level_ = level;
}

void LogAuthor::About(absl::string_view subsystem, absl::string_view device) {
  records_.back().subsystem = std::string(subsystem);
  records_.back().device = std::string(device);
}

}  // namespace corefleet

#ifndef COREFLEET_CORE_SIMULATE_LOG_AUTHOR_H_
#define COREFLEET_CORE_SIMULATE_LOG_AUTHOR_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/printk/kernel_log.h"
#include "core/simulate/crash_kind.h"
#include "core/simulate/model_kernel.h"
#include "core/simulate/random.h"

namespace corefleet {

// Writes a log record by record, with a clock of its own.
class LogAuthor {
 public:
  LogAuthor(const ModelKernel& kernel, absl::string_view purpose)
      : kernel_(kernel), random_(kernel.seed, purpose) {}

  // The next record: a few microseconds to some milliseconds after the one before.
  LogAuthor& Say(uint8_t level, std::string text);
  LogAuthor& Say(std::string text) { return Say(level_, std::move(text)); }
  // Who speaks from here on, and how loud: a thread id, or a CPU's number with bit 31 set.
  void Become(uint32_t caller_id, uint8_t level);
  // The device that the last record is about, as /dev/kmsg shows it.
  void About(absl::string_view subsystem, absl::string_view device);
  void Wait(uint64_t nsec) { now_nsec_ += nsec; }
  // Until the clock really runs stamps are 0.
  void StartClock() { clock_runs_ = true; }
  void SetClock(uint64_t nsec) { now_nsec_ = nsec; }

  const ModelKernel& kernel() const { return kernel_; }
  Random& random() { return random_; }
  uint64_t now_nsec() const { return now_nsec_; }
  std::vector<LogRecord> TakeRecords() { return std::move(records_); }

 private:
  const ModelKernel& kernel_;
  Random random_;
  std::vector<LogRecord> records_;
  uint64_t now_nsec_ = 0;
  uint32_t caller_id_ = 0;
  uint8_t level_ = 6;
  bool clock_runs_ = false;
};

// How the crash went, for the truth.
struct CrashStory {
  std::string panic_reason;   // "" when nobody panicked
  uint64_t taint_before = 0;  // what the report printed
  uint64_t taint_after = 0;   // tainted_mask at the end
  uint64_t uptime_nsec = 0;   // when the clock tick last ran
};

// What the kernel says from its first line until user space runs.
void WriteBootLog(LogAuthor* author);
// Everyday messages, sparse, for `nsec`.
void WriteEverydayLog(uint64_t nsec, LogAuthor* author);
// The report of a crash and what panic() says after it. `tainted`: the mask before it.
CrashStory WriteCrashLog(CrashKind kind, uint64_t tainted, LogAuthor* author);

}  // namespace corefleet

#endif  // COREFLEET_CORE_SIMULATE_LOG_AUTHOR_H_

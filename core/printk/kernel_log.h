#ifndef COREFLEET_CORE_PRINTK_KERNEL_LOG_H_
#define COREFLEET_CORE_PRINTK_KERNEL_LOG_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/crash/defect.h"
#include "core/crash/facts.h"

namespace corefleet {

// What became of a record's text.
enum class TextState : uint8_t {
  kWhole,
  kTruncated,  // the block is shorter than text_len
  kLost,  // overwritten, or not in the image: `text` is empty, or a line in angle brackets that says what
          // is missing here
  kIncomplete,  // a writer was inside when the machine died
  kCarved,      // found by content; metadata may be missing
};

// One printk record. `text` is what the kernel stored, byte for byte: it may hold newlines, and bytes that
// are no UTF-8.
struct LogRecord {
  uint64_t seq = 0;
  uint64_t ts_nsec = 0;    // since boot, by the writing CPU's clock: may step back a little
  uint8_t level = 0;       // 0 (emergency) to 7 (debug)
  uint8_t facility = 0;    // 0 is the kernel; others were written by user space through /dev/kmsg
  uint8_t flags = 0;       // 2: ended with a newline; 8: a continuation that could not be joined
  uint32_t caller_id = 0;  // bit 31 set: CPU number, else thread id
  std::string subsystem;   // of the device, such as "pci"; raw bytes up to the first NUL
  std::string device;      // such as "+pci:0000:00:1f.0"
  std::string text;
  TextState text_state = TextState::kWhole;
};

// The kernel log as far as the image has it, ascending by seq.
struct KernelLog {
  std::vector<LogRecord> records;
  LogFacts facts;
  std::vector<Defect> defects;
};

// Counts `records`, which ascend by seq. `method` is left empty.
LogFacts FactsOfRecords(const std::vector<LogRecord>& records);

// "T812" or "C3".
std::string CallerName(uint32_t caller_id);

// The log as the kernel prints it: each line `[%5lu.%06lu] text`, every line of a record with the record's
// stamp, raw bytes untouched. Records whose text is lost are left out. This is what `dmesg` of the machine
// would have printed.
std::string RenderRaw(const KernelLog& log);

// The same for a terminal: bytes that a terminal would interpret and bytes that are no UTF-8 are written as
// \xNN, and gaps are marked by lines of their own in angle brackets ("<17 records lost>").
std::string RenderText(const KernelLog& log);

}  // namespace corefleet

#endif  // COREFLEET_CORE_PRINTK_KERNEL_LOG_H_

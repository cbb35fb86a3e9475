#ifndef COREFLEET_CORE_PRINTK_LOG_BUF_H_
#define COREFLEET_CORE_PRINTK_LOG_BUF_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/bytes/address_space.h"
#include "core/printk/kernel_log.h"
#include "core/printk/sparse_bytes.h"
#include "core/vmcoreinfo/vmcoreinfo.h"

namespace corefleet {

// Where the fields of a record's header lie in the log buffer of 3.5 to 5.9. Offsets and sizes in bytes.
// Source: VMCOREINFO's SIZE(printk_log) and OFFSET(printk_log.*), `log` instead of `printk_log` before 3.11;
// where a key is missing or cannot be, what those kernels compile to.
struct LogBufLayout {
  uint64_t header = 16;  // bytes in front of the text
  uint64_t ts_nsec = 0;
  uint64_t len = 8;  // u16: the whole record
  uint64_t text_len = 10;
  uint64_t dict_len = 12;
  uint64_t facility = 14;             // never exported: the byte at dict_len + 2
  uint64_t flags_level = 15;          // never exported: the byte at dict_len + 3
  std::optional<uint64_t> caller_id;  // since 5.1, with CONFIG_PRINTK_CALLER
  bool level_with_facility = false;   // 3.5 only: a u16 of both, as syslog has them, and no flags
  bool joins_by_flags = false;        // before 4.9 flags said which records make one line
  Endian endian = Endian::kLittle;

  static LogBufLayout From(const Vmcoreinfo& info, Endian endian);
};

// A log buffer taken out of an image, as far as the image has it.
struct LogBuf {
  LogBufLayout layout;
  SparseBytes bytes;
  // Indices of the oldest record and of where the next one would go; nullopt when they could not be read.
  std::optional<uint64_t> first;
  std::optional<uint64_t> next;
};

// Follows VMCOREINFO's symbols log_buf, log_buf_len, log_first_idx and log_next_idx. A length that is not in
// the image is guessed from how much memory follows. nullopt when the pointer cannot be read, when it leads
// nowhere, or when the buffer is a plain one (before 3.5).
std::optional<LogBuf> FindLogBuf(const AddressSpace& space, const Vmcoreinfo& info);

// What a log buffer holds.
struct LogBufRecords {
  // In the order in which they were written. The format stores no sequence numbers: the first record has 0,
  // and a stretch that makes no sense counts as one.
  std::vector<LogRecord> records;
  // The indices are impossible, or say empty where records are: the whole buffer was walked.
  bool walked_all = false;
  // The oldest record is not the first that ever was: the buffer went round.
  bool went_round = false;
  uint64_t stretches = 0;  // places where the walk found no record and looked for the next one
  uint64_t skipped = 0;    // bytes in them
};

// Decodes as much of the buffer as its bytes allow. Total; the work is bounded by the bytes that are there.
LogBufRecords ReadLogBuf(const LogBuf& log);

// The text of a kernel before 3.5: plain bytes, and a count of all that were ever written (SYMBOL(log_end)).
// nullopt when the symbols are not those, or lead nowhere.
struct ByteLog {
  std::string text;
  bool went_round = false;  // more was written than the buffer holds
  uint64_t missing = 0;     // bytes of the buffer that are not in the image
};
std::optional<ByteLog> ReadByteLog(const AddressSpace& space, const Vmcoreinfo& info);

}  // namespace corefleet

#endif  // COREFLEET_CORE_PRINTK_LOG_BUF_H_

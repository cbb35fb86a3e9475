#ifndef COREFLEET_CORE_PRINTK_LOG_BUF_WRITER_H_
#define COREFLEET_CORE_PRINTK_LOG_BUF_WRITER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/bytes/byte_reader.h"

namespace corefleet {

// The machine and the kernel of a log buffer to write.
struct LogBufShape {
  uint32_t size = 1 << 16;  // bytes; a multiple of 8, at least 256 and at most 2^31
  bool caller_id = false;   // 5.1 on, with CONFIG_PRINTK_CALLER
  bool packed = true;       // false on machines that want aligned words: records go in steps of 8, not 4
  bool old_name = false;    // before 3.11 the struct was called `log`
  Endian endian = Endian::kLittle;
};

// Writes the log buffer of a kernel from 3.5 to 5.9 as the kernel does, and lets the caller spoil it.
// Everything is in memory. Not thread-safe.
class LogBufWriter {
 public:
  struct Record {
    std::string text;        // at most 32 KiB; it and the dictionary must fit into the buffer
    std::string dictionary;  // "SUBSYSTEM=pci", a NUL, "DEVICE=+pci:0000:00:1f.0"
    uint64_t ts_nsec = 0;
    uint8_t level = 6;
    uint8_t facility = 0;
    uint8_t flags = 2;  // 1 no console, 2 newline, 4 prefix, 8 continuation
    uint32_t caller_id = 0;
  };

  explicit LogBufWriter(const LogBufShape& shape) : bytes(shape.size), shape_(shape) {}

  // Adds a record and returns its index in the buffer; the oldest give way. One that is larger than the
  // buffer is dropped, and where the next one goes is returned.
  uint32_t Add(const Record& record);

  uint32_t first_idx() const { return first_idx_; }
  uint32_t next_idx() const { return next_idx_; }
  uint32_t header_bytes() const { return shape_.caller_id ? (shape_.packed ? 20 : 24) : 16; }
  const LogBufShape& shape() const { return shape_; }

  // SIZE and OFFSET lines of VMCOREINFO, without the SYMBOLs: those are addresses of variables that the
  // caller places.
  std::string VmcoreinfoLines() const;

  std::vector<uint8_t> bytes;

 private:
  void Put(uint64_t value, size_t width, uint64_t at);
  uint64_t LengthAt(uint32_t index) const;
  bool HasSpace(uint32_t size) const;
  void DropOldest();

  LogBufShape shape_;
  uint32_t first_idx_ = 0;
  uint32_t next_idx_ = 0;
  uint64_t records_ = 0;  // in the buffer
};

}  // namespace corefleet

#endif  // COREFLEET_CORE_PRINTK_LOG_BUF_WRITER_H_

#ifndef COREFLEET_CORE_SIMULATE_MODEL_LOG_H_
#define COREFLEET_CORE_SIMULATE_MODEL_LOG_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/printk/kernel_log.h"
#include "core/simulate/crash_kind.h"
#include "core/simulate/log_author.h"
#include "core/simulate/model_kernel.h"

namespace corefleet {

// What a model kernel said, and what became of it.
struct ModelLog {
  std::vector<LogRecord> records;  // all, by seq
  size_t early = 0;                // of them, said before the kernel moved to a larger buffer
  CrashStory story;
};

// The whole log of a kernel that ran for a while and died so.
ModelLog WriteModelLog(const ModelKernel& kernel, CrashKind kind);

// What was done to the ring on purpose.
struct RingDamage {
  bool writer_inside = false;  // the newest record is still reserved, and some texts were overwritten
  bool wild_head = false;      // head and tail are no ids
};

// The log buffers in memory: pieces by symbol. The lockless ring's are "printk_rb", "prb_descs",
// "prb_infos", "text"; the older buffer's "text" and its variables.
struct LogBytes {
  std::vector<uint8_t> header;  // struct printk_ringbuffer
  std::vector<uint8_t> descs;
  std::vector<uint8_t> infos;
  std::vector<uint8_t> text;
  uint32_t first_idx = 0, next_idx = 0;  // of the older buffer
  std::string vmcoreinfo_lines;          // SIZE, OFFSET, LENGTH
  std::vector<LogRecord> readable;       // what a reader must find: the rest was pushed out, or spoilt
};

struct LogPlace {
  uint64_t descs_vaddr = 0, infos_vaddr = 0, text_vaddr = 0;
};

// 2^shift bytes of text, 4096 or more. Descriptors for one record each 32 bytes, as the kernel has them.
LogBytes WriteRing(const std::vector<LogRecord>& records, uint32_t shift, const LogPlace& place,
                   const RingDamage& damage);
// The buffer of a kernel before 5.10.
LogBytes WriteLogBuf(const std::vector<LogRecord>& records, uint32_t shift, const ModelKernel& kernel);

}  // namespace corefleet

#endif  // COREFLEET_CORE_SIMULATE_MODEL_LOG_H_

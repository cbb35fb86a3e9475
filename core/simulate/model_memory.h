#ifndef COREFLEET_CORE_SIMULATE_MODEL_MEMORY_H_
#define COREFLEET_CORE_SIMULATE_MODEL_MEMORY_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/meminspect/region_ids.h"
#include "core/simulate/model_kernel.h"
#include "core/simulate/model_log.h"

namespace corefleet {

// A piece of a model kernel's memory that meminspect registers.
struct ModelRegion {
  uint32_t id = 0;
  std::string name;    // as the minidump driver calls it: "Kprb_info"
  std::string symbol;  // what it is: "prb_infos", "runqueue of CPU 3"
  uint64_t vaddr = 0;  // in the image, or in the linear map if it was registered at run time
  uint64_t paddr = 0;
  std::vector<uint8_t> bytes;  // exactly its size; may be empty (a kernel bug of meminspect v3)
};

struct MemoryOptions {
  MeminspectSeries series = MeminspectSeries::kV1;
  uint32_t log_shift = 17;     // 2^shift bytes of static log buffer: 12 to 24
  uint32_t big_log_shift = 0;  // the kernel moved to a buffer of 2^shift bytes at boot; 0: it stayed
  bool config = true;          // CONFIG_IKCONFIG
  RingDamage damage;
};

// What meminspect registers of a machine that just died.
struct ModelMemory {
  std::vector<ModelRegion> regions;  // ascending by id, from 3 on
  std::string vmcoreinfo;
  std::map<std::string, uint64_t> symbols;  // virtual addresses in the image
  std::vector<LogRecord> readable;          // of the log: what can be read from the regions
  std::string config;                       // the configuration's text; "" without
  uint64_t jiffies = 0;

  // The region of a symbol, or null.
  const ModelRegion* Find(absl::string_view symbol) const;
};

ModelMemory MakeModelMemory(const ModelKernel& kernel, const ModelLog& log, const MemoryOptions& options);

// The VMCOREINFO text as that kernel exports it; `log_lines` are the log's own.
std::string WriteVmcoreinfo(const ModelKernel& kernel, const std::map<std::string, uint64_t>& symbols,
                            absl::string_view log_lines);

}  // namespace corefleet

#endif  // COREFLEET_CORE_SIMULATE_MODEL_MEMORY_H_

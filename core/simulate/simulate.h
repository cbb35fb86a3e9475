#ifndef COREFLEET_CORE_SIMULATE_SIMULATE_H_
#define COREFLEET_CORE_SIMULATE_SIMULATE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/printk/kernel_log.h"
#include "core/simulate/crash_kind.h"
#include "core/simulate/damage.h"
#include "core/simulate/model_kernel.h"

namespace corefleet {

// A kernel dies that never was, and leaves what a real one leaves: for people without hardware, and for
// tests. Everything follows from the options; the same options give the same bytes on every machine.

// As what the crash is saved.
enum class SimulatedSource : uint8_t {
  kMeminspectV1,
  kMeminspectV2,
  kMeminspectV3,
  kKmemdumpRfc2,
  kKmemdumpRfc3,
  kRawDump,
  kQaic,
  kEdl,
  kQdl,
  kVmcore,
  kVmcoreFlat,
  kKdump,
  kKdumpSplit,
  kPstoreEfi,
  kPstoreErst,
  kPstoreRamoops,
  kRamoopsRaw,
  kKinfo,
  kVendorMinidump,
  kCoprocessor,
};

// What of a crash is in its files.
enum class Remains : uint8_t {
  kMemory,       // of the machine
  kPackedDump,   // memory too, that needs a DumpOpener to be read; without one what the dump's header says
  kLog,          // the end of the kernel log
  kRelease,      // which kernel it was
  kUnexplained,  // memory without VMCOREINFO: the log, and which kernel it was
  kForeign,      // memory of a processor without Linux
};

struct SourceEntry {
  SimulatedSource source;
  absl::string_view name;
  absl::string_view about;
  Remains remains;
  std::vector<DamageTarget> targets;  // what can be damaged of it
};

// All there are, in their order.
absl::Span<const SourceEntry> AllSources();
std::optional<SimulatedSource> ParseSource(absl::string_view name);
const SourceEntry& EntryOf(SimulatedSource source);

struct SimulationOptions {
  KernelOptions kernel;
  SimulatedSource source = SimulatedSource::kMeminspectV1;
  CrashKind crash = CrashKind::kOops;
  std::vector<Damage> damages;
  uint32_t log_shift = 17;     // 2^shift bytes of log buffer; 12 to 24
  uint32_t big_log_shift = 0;  // the kernel moved to a buffer of 2^shift bytes at boot (log_buf_len=); 0: no
};

struct SimulatedFile {
  std::string name;  // relative; may be in a folder of its own ("memory/md_KELF1.BIN")
  std::vector<uint8_t> bytes;
};

// A region as it was in the machine.
struct SimulatedRegion {
  std::string name;    // "Kprb_info"
  std::string symbol;  // "prb_infos"
  uint32_t id = 0;
  uint64_t vaddr = 0;
  uint64_t paddr = 0;
  std::vector<uint8_t> bytes;  // padded to a multiple of 4
};

// What corefleet must find, but for what damage took away.
struct SimulatedTruth {
  std::string release, version, banner, build_id, arch, command_line, panic_reason, config;
  uint64_t page_size = 0;
  uint64_t kaslr_offset = 0;
  uint64_t taint = 0;         // tainted_mask at the end
  uint64_t taint_before = 0;  // what the report printed
  uint32_t cpus = 0;
  double uptime_seconds = 0;
  std::string series;  // "meminspect v1"; "" where no ids are saved
  Remains remains = Remains::kMemory;
  std::vector<LogRecord> log;            // what is left of it, by seq
  std::vector<SimulatedRegion> regions;  // before any damage
  std::vector<DefectCode> defects;       // that damage must lead to, in most cases
};

struct SimulatedCrash {
  std::vector<SimulatedFile> files;
  SimulatedTruth truth;
};

//   INVALID_ARGUMENT  a kernel that cannot be, a damage that the source has nothing for, a region that is not
//                     there; the message says which
absl::StatusOr<SimulatedCrash> Simulate(const SimulationOptions& options);

}  // namespace corefleet

#endif  // COREFLEET_CORE_SIMULATE_SIMULATE_H_

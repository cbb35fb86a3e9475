#ifndef COREFLEET_CORE_BUILD_LOG_LINES_H_
#define COREFLEET_CORE_BUILD_LOG_LINES_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace corefleet {

// What single lines of the kernel's own log say about the machine and the kernel: for crashes of which the
// log is all there is, and for what no region and no symbol has. Each function takes any line and returns
// nullopt for one of another kind.

// `CPU: 0 PID: 1 Comm: init Tainted: G  OE  6.1.0-13-amd64 #1 Debian 6.1.55-1`, as every report prints it;
// kernels with STACKTRACE_BUILD_ID add their build id.
struct ReportLine {
  std::string release;
  std::string build_id;  // lower-case hex; "" when the kernel does not print it
};
std::optional<ReportLine> ParseReportLine(absl::string_view line);

// `Kernel Offset: 0x1c00000 from 0xffffffff81000000 ...` or `Kernel Offset: disabled`, in bytes.
std::optional<uint64_t> ParseKernelOffset(absl::string_view line);

// How many CPUs, by the lines of SMP's bring-up. A field that the line does not tell is 0.
struct CpuCounts {
  uint32_t possible = 0;
  uint32_t present = 0;
  uint32_t online = 0;
};
inline constexpr uint32_t kMostCpus = 8192;
std::optional<CpuCounts> ParseCpuCounts(absl::string_view line);

// uname's word for the machine, by the register lines of a report ("RIP: 0010:", "pstate: ", "epc : ").
std::optional<absl::string_view> MachineOfLine(absl::string_view line);

}  // namespace corefleet

#endif  // COREFLEET_CORE_BUILD_LOG_LINES_H_
